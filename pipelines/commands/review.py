"""The commands of `penchant review`: list, show, approve, reject and roll back."""

from typing import Annotated

import typer
from rich.text import Text

from pipelines.commands.errors import exit_on_error, out
from pipelines.commands.options import By, Home

review = typer.Typer(
    help="""Decide which registered version goes live.

```
penchant review list
penchant review show 7
penchant review approve 7
penchant review reject 7 --reason "too few new items"
penchant review rollback
```
""",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

Number = Annotated[
    int, typer.Argument(metavar="VERSION", help="A version number from `penchant review list`.")
]


@review.command("list")
def list_(home: Home = None) -> None:
    """List the registered versions, newest first."""
    with exit_on_error():
        from pipelines.commands.tables import versions_table
        from pipelines.review import open_registry
        from pipelines.settings import load_settings
        from serving.release.release_store import ReleaseStore

        settings = load_settings(home=home)
        versions = open_registry(settings).versions()
        if not versions:
            out.print("No version is registered yet. Train one: penchant run")
            return
        out.print(versions_table(versions, ReleaseStore(settings.releases).live()))


@review.command()
def show(version: Number, home: Home = None) -> None:
    """Show the figures, decisions and evaluation files of a version."""
    with exit_on_error():
        from pipelines.review import download_evaluation, open_registry
        from pipelines.settings import load_settings

        settings = load_settings(home=home)
        registry = open_registry(settings)
        entry = registry.version(version)
        for name, value in sorted(entry.tags.items()):
            if value:
                out.print(_line(name, value), soft_wrap=True)
        for file in download_evaluation(registry, entry, settings.home / "review" / str(version)):
            out.print(_line("evaluation", str(file)), soft_wrap=True)


@review.command()
def approve(version: Number, by: By, home: Home = None) -> None:
    """Make a version live.

    The version is published and smoke-tested before the switch; if the test fails, the live version stays.
    """
    with exit_on_error():
        from pipelines import review as reviews
        from pipelines.settings import load_settings

        out.print(reviews.approve(load_settings(home=home), version, by))


@review.command()
def reject(
    version: Number,
    by: By,
    reason: Annotated[
        str,
        typer.Option(
            prompt="Reason",
            help="The reason; the registry stores it. You are asked for it if missing.",
        ),
    ],
    home: Home = None,
) -> None:
    """Reject a version, so that it does not go live."""
    with exit_on_error():
        from pipelines import review as reviews
        from pipelines.settings import load_settings

        out.print(reviews.reject(load_settings(home=home), version, by, reason))


@review.command()
def rollback(by: By, home: Home = None) -> None:
    """Make the version that was live before the current one live again."""
    with exit_on_error():
        from pipelines import review as reviews
        from pipelines.settings import load_settings

        out.print(reviews.rollback(load_settings(home=home), by))


def _line(name: str, value: str) -> Text:
    return Text(f"{name:>14}  ", "bold").append(value, "not bold")
