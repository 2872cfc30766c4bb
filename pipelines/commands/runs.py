"""The commands of `penchant runs`: what ran, and how it ended."""

from typing import Annotated

import typer

from pipelines.commands.errors import FAILED, exit_on_error, out

runs = typer.Typer(
    help="""List the runs on Kubeflow Pipelines, and show one.

```
penchant runs list
penchant runs show 3f0c6f2a
penchant runs show 3f0c6f2a --wait
```
""",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@runs.command("list")
def list_(
    count: Annotated[int, typer.Option(min=1, max=200, help="At most this many runs.")] = 20,
) -> None:
    """List the newest runs.

    ```
    penchant runs list --count 5
    ```
    """
    with exit_on_error():
        from pipelines.commands.run_tables import runs_table
        from pipelines.kubeflow.connection import connect
        from pipelines.kubeflow.runs import KubeflowRuns
        from pipelines.settings import load_settings

        settings = load_settings()
        with connect(settings) as client:
            found = KubeflowRuns(client, settings).newest(count)
        if found:
            out.print(runs_table(found))
        else:
            out.print("There is no run yet. Start one: penchant submit")


@runs.command()
def show(
    run_id: Annotated[str, typer.Argument(help="An id from `penchant runs list`.")],
    wait: Annotated[bool, typer.Option("--wait", help="Show the steps until the run ends.")] = False,
) -> None:
    """Show the steps of a run; exit with 1 if it failed.

    ```
    penchant runs show 3f0c6f2a --wait
    ```
    """
    with exit_on_error():
        from pipelines.commands.run_tables import follow
        from pipelines.kubeflow.connection import connect
        from pipelines.kubeflow.runs import KubeflowRuns
        from pipelines.settings import load_settings

        settings = load_settings()
        with connect(settings) as client:
            kubeflow_runs = KubeflowRuns(client, settings)
            states = kubeflow_runs.follow(run_id) if wait else iter([kubeflow_runs.get(run_id)])
            if follow(states).state in ("FAILED", "CANCELED"):
                raise typer.Exit(FAILED)
