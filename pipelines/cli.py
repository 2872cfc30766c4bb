"""The command `penchant`: registers the commands and their help."""

from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated

import typer

from pipelines.commands.benchmark import benchmark
from pipelines.commands.command_group import CommandGroup
from pipelines.commands.data import data
from pipelines.commands.experiment import experiment
from pipelines.commands.home import home
from pipelines.commands.kubeflow import compile_pipelines, submit
from pipelines.commands.online import online
from pipelines.commands.privacy import export, forget, preferences, rotate_key
from pipelines.commands.replay import replay
from pipelines.commands.review import review
from pipelines.commands.runs import runs
from pipelines.commands.schedule import schedule
from pipelines.commands.serving import forecast, recommend, record, serve
from pipelines.commands.training import demo, run

app = typer.Typer(
    cls=CommandGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(f"penchant {version('penchant')}")
        raise typer.Exit


@app.callback()
def penchant(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Train, review and serve recommendations that follow a user's changing interests.

    First steps:

    ```
    penchant demo                            # all steps below at once
    penchant run --dataset movielens-100k    # train a release; it goes live
    penchant serve                           # serve it until Ctrl-C
    penchant recommend 196                   # in another terminal
    penchant record 196 50 --event-type like
    ```

    `penchant COMMAND --help` explains a command. A command exits with 0 on success, 1 when it failed, and 2
    when an argument or a setting is wrong.
    """


TRAINING: list[Callable[..., None]] = [demo, run, benchmark]
SERVING: list[Callable[..., None]] = [serve, recommend, forecast, record, replay]
PRIVACY: list[Callable[..., None]] = [export, preferences, forget, rotate_key]

for command in TRAINING:
    app.command(rich_help_panel="Train")(command)
for command in SERVING:
    app.command(rich_help_panel="Serve")(command)
for command in PRIVACY:
    app.command(rich_help_panel="Privacy")(command)
app.add_typer(home, name="home", rich_help_panel="Privacy")
app.add_typer(data, name="data", rich_help_panel="Train")
app.add_typer(review, name="review", rich_help_panel="Review")
app.add_typer(online, name="online", rich_help_panel="Serve")
app.add_typer(experiment, name="experiment", rich_help_panel="Serve")
app.command("compile", rich_help_panel="Kubeflow")(compile_pipelines)
app.command(rich_help_panel="Kubeflow")(submit)
app.add_typer(runs, name="runs", rich_help_panel="Kubeflow")
app.add_typer(schedule, name="schedule", rich_help_panel="Kubeflow")


def main() -> None:
    """Run the command line; the entry point of the package."""
    app()


if __name__ == "__main__":
    main()
