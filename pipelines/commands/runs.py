"""The commands of `penchant runs`: what ran here or on Kubeflow, how it ended, and what it printed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.commands.errors import FAILED, exit_on_error, out
from pipelines.commands.options import Home

if TYPE_CHECKING:
    from pipelines.run_history import RunHistory

runs = typer.Typer(
    help="""List the runs of the home, show one, and print its log.

With PENCHANT_KUBEFLOW set: those on Kubeflow Pipelines.

```
penchant runs list
penchant runs show 20261128-030000
penchant runs logs --step "Train interest model" --follow
```
""",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

RunId = Annotated[
    str | None,
    typer.Argument(metavar="RUN", help="A run from `penchant runs list`. Default: the newest one."),
]


@runs.command("list")
def list_(
    count: Annotated[int, typer.Option(min=1, max=200, help="At most this many runs.")] = 20,
    home: Home = None,
) -> None:
    """List the newest runs. A run without an end whose processes are gone is shown as killed.

    ```
    penchant runs list --count 5
    ```
    """
    with exit_on_error(), _history(home) as history:
        from pipelines.commands.tables.runs import runs_table

        if found := history.newest(count):
            out.print(runs_table(found))
        else:
            out.print("There is no run yet. Start one: penchant run, or penchant submit for Kubeflow")


@runs.command()
def show(
    run_id: RunId = None,
    wait: Annotated[bool, typer.Option("--wait", help="Show the steps until the run ends.")] = False,
    home: Home = None,
) -> None:
    """Show the steps of a run and what it made; exit with 1 if it failed.

    ```
    penchant runs show 20261128-030000
    penchant runs show --wait
    ```
    """
    with exit_on_error(), _history(home) as history:
        from pipelines import run_history
        from pipelines.commands.tables.runs import facts_table, show_steps

        run_id = run_id or _newest(history)
        states = run_history.follow(history, run_id) if wait else iter([history.get(run_id)])
        run = show_steps(states)
        out.print(facts_table(run))
        if run.state in run_history.FAILED:
            raise typer.Exit(FAILED)


@runs.command()
def logs(
    run_id: RunId = None,
    step: Annotated[str, typer.Option(metavar="STEP", help="Only this step, by its name.")] = "",
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the run ends.")] = False,
    home: Home = None,
) -> None:
    """Print what a run printed, or one step of it.

    ```
    penchant runs logs
    penchant runs logs 20261128-030000 --step "Train interest model"
    penchant runs logs --follow
    ```
    """
    with exit_on_error(), _history(home) as history:
        from rich.text import Text

        for line in history.log(run_id or _newest(history), step, follow):
            # Without kfp's colours: escape codes in a log may come from data, and be links.
            out.print(Text.from_ansi(line).plain, soft_wrap=True)


def _newest(history: "RunHistory") -> str:
    runs = history.newest(1)
    if not runs:
        raise LookupError("there is no run yet; start one: penchant run, or penchant submit for Kubeflow")
    return runs[0].run_id


@contextmanager
def _history(home: Home) -> Iterator["RunHistory"]:
    from pipelines.settings import load_settings

    settings = load_settings(home=home)
    if not settings.kubeflow:
        from pipelines.local_run.runs import LocalRuns

        yield LocalRuns(settings.home)
        return
    from pipelines.kubeflow.connection import connect
    from pipelines.kubeflow.runs import KubeflowRuns

    with connect(settings) as client:
        yield KubeflowRuns(client, settings)
