"""The commands of `penchant schedule`: train at set times on Kubeflow Pipelines."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.commands.data_options import DataOptions, with_data_options
from pipelines.commands.errors import exit_on_error, out
from pipelines.commands.options import CronTimezone, Hyperparameter, MaxFailedShare, Policy, Protocol

if TYPE_CHECKING:
    from components.check_schedule.cron import Cron
    from pipelines.kubeflow.schedules import Schedules

schedule = typer.Typer(
    help="""Train at set times on the Kubeflow Pipelines at PENCHANT_KUBEFLOW.

```
penchant schedule create '0 3 * * *' --cron-timezone Europe/London
penchant schedule list
penchant schedule pause nightly
penchant schedule run-now nightly
```
""",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

DEFAULT_NAME = "nightly"
Name = Annotated[str, typer.Argument(help="The name of the schedule.")]


@schedule.command()
@with_data_options
def create(
    cron: Annotated[
        str,
        typer.Argument(help="Minute, hour, day of month, month, day of week: '0 3 * * *' is 03:00 daily."),
    ],
    data: DataOptions,
    name: Annotated[str, typer.Option(help="The name of the schedule.")] = DEFAULT_NAME,
    cron_timezone: CronTimezone = None,
    catchup: Annotated[
        bool,
        typer.Option("--catchup/--no-catchup", help="Run the times that were missed, one after another."),
    ] = False,
    protocol: Protocol = "time",
    policy: Policy = None,
    max_failed_share: MaxFailedShare = 0.05,
    hyperparameter: Hyperparameter = None,
) -> None:
    """Create a schedule, or replace the one of the same name; the same arguments again change nothing.

    Each training starts from the weights of the training run of the live release; `--set warm_start=false`
    turns this off. Sources are URLs, which every run reads again. A schedule keeps the settings it was made
    with: after a change, create it again. At most one of its runs is active.

    ```
    penchant schedule create '0 3 * * *'
    penchant schedule create '30 2 * * sun' --name weekly
    penchant schedule create '0 3 * * *' --items https://example.com/items.csv
    ```
    """
    with exit_on_error():
        from components.check_schedule.cron import Cron
        from pipelines.pipeline_arguments import parse_hyperparameters, training_arguments
        from pipelines.settings import load_settings
        from pipelines.training_pipeline import training

        times = Cron.parse(cron, cron_timezone or "UTC")
        settings = load_settings(policy=policy)
        hyperparameters = {"warm_start": True, **parse_hyperparameters(hyperparameter or [])}
        parameters = training_arguments(settings, protocol, max_failed_share, hyperparameters)
        parameters |= data.source_arguments() | data.meaning_arguments() | {"image": settings.image}
        _print_next_times(times)
        with _schedules() as schedules:
            change = schedules.create(name, times, training, parameters, catchup)
            out.print(f"schedule {name}: {change.value}")
            if not schedules.named(name)[0].enabled:
                out.print(f"It is paused; `penchant schedule resume {name}` starts it again.")


@schedule.command("list")
def list_() -> None:
    """List the schedules with their next runs.

    ```
    penchant schedule list
    ```
    """
    with exit_on_error(), _schedules() as schedules:
        from pipelines.commands.tables.runs import schedules_table

        found = schedules.all()
        if not found:
            out.print("There is no schedule yet. Create one: penchant schedule create '0 3 * * *'")
            return
        out.print(schedules_table(found))
        names = [schedule.name for schedule in found]
        for name in sorted({name for name in names if names.count(name) > 1}):
            out.print(
                f"{name} exists twice: a replacement was interrupted; repeat `penchant schedule create`.",
            )


@schedule.command()
def show(name: Name = DEFAULT_NAME) -> None:
    """Show the next runs and the parameters of a schedule.

    ```
    penchant schedule show nightly
    ```
    """
    with exit_on_error(), _schedules() as schedules:
        from pipelines.commands.tables.runs import parameters_table

        found = schedules.named(name)[0]
        out.print(f"{name}: {'enabled' if found.enabled else 'paused'}")
        _print_next_times(found.cron)
        out.print(parameters_table(found.parameters))


@schedule.command()
def pause(name: Name = DEFAULT_NAME) -> None:
    """Start no more runs; a run that is active goes on.

    ```
    penchant schedule pause nightly
    ```
    """
    with exit_on_error(), _schedules() as schedules:
        schedules.pause(name)
        out.print(f"{name} is paused")


@schedule.command()
def resume(name: Name = DEFAULT_NAME) -> None:
    """Start runs again.

    ```
    penchant schedule resume nightly
    ```
    """
    with exit_on_error(), _schedules() as schedules:
        schedules.resume(name)
        out.print(f"{name} is enabled")


@schedule.command()
def delete(name: Name) -> None:
    """Delete a schedule; its runs stay.

    ```
    penchant schedule delete nightly
    ```
    """
    with exit_on_error(), _schedules() as schedules:
        schedules.delete(name)
        out.print(f"{name} is deleted")


@schedule.command("run-now")
def run_now(name: Name = DEFAULT_NAME) -> None:
    """Start one run of a schedule now.

    ```
    penchant schedule run-now nightly
    ```
    """
    with exit_on_error(), _schedules() as schedules:
        out.print(f"started as run {schedules.run_now(name)}")


@contextmanager
def _schedules() -> "Iterator[Schedules]":
    from pipelines.kubeflow.connection import connect
    from pipelines.kubeflow.schedules import Schedules
    from pipelines.settings import load_settings

    settings = load_settings()
    with connect(settings) as client:
        yield Schedules(client, settings)


def _print_next_times(cron: "Cron") -> None:
    from datetime import UTC, datetime

    out.print(f"{cron.expression} in {cron.timezone}; the next runs:")
    for time in cron.next_times(datetime.now(UTC), 3):
        out.print(f"  {time:%a %Y-%m-%d %H:%M %Z} ({time.astimezone(UTC):%H:%M} UTC)")
