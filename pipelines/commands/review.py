"""The commands of `penchant review`: list, show, diff, approve, reject and roll back."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.commands.dossiers import diff, show
from pipelines.commands.errors import FAILED, err, exit_on_error, out
from pipelines.commands.options import By, Home, Number

if TYPE_CHECKING:
    from pipelines.settings import Settings

review = typer.Typer(
    help="""Decide which registered version goes live.

```
penchant review list
penchant review show 7 --open
penchant review diff 6 7
penchant review approve 7 --reason "better for new users"
penchant review reject 7 --reason "too few new items"
penchant review rollback
penchant review history
```
""",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

Reason = Annotated[
    str,
    typer.Option(
        prompt="Reason", help="The reason; the history keeps it. You are asked for it if it is missing."
    ),
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


review.command()(show)
review.command()(diff)


@review.command()
def approve(version: Number, by: By, reason: Reason, home: Home = None) -> None:
    """Make a version live.

    The version is published and smoke-tested before the switch; if the test fails, the live version stays.
    """
    with exit_on_error():
        from pipelines import review as reviews
        from pipelines.settings import load_settings

        out.print(reviews.approve(load_settings(home=home), version, by, reason))


@review.command()
def reject(
    version: Number,
    by: By,
    reason: Reason,
    rollback: Annotated[
        bool | None,
        typer.Option(
            "--rollback/--no-rollback",
            help="Roll back if the version is live. Default: you are asked, in a terminal.",
        ),
    ] = None,
    home: Home = None,
) -> None:
    """Reject a version, so that it does not go live.

    A published version is unpublished, unless it is live: then you are asked whether to roll back.
    """
    with exit_on_error():
        from pipelines import review as reviews
        from pipelines.settings import load_settings

        settings = load_settings(home=home)
        is_live = reviews.reject(settings, version, by, reason)
        out.print(f"version {version} is rejected: {reason}")
        if not is_live:
            return
        if rollback is None:
            rollback = sys.stdin.isatty() and typer.confirm(f"Version {version} is live. Roll back now?")
        if rollback:
            _roll_back(settings, by, f"rejected: {reason}", None)
        else:
            out.print(f"Version {version} is still live; `penchant review rollback` ends that.")


@review.command()
def rollback(
    by: By,
    to: Annotated[
        int | None,
        typer.Option(help="A published version. Default: the one that was live before the current one."),
    ] = None,
    reason: Annotated[str, typer.Option(help="The reason; the history keeps it.")] = "no reason given",
    home: Home = None,
) -> None:
    """Make an earlier version live again, at once.

    It needs neither MLflow nor Kubeflow, and does not wait for a training that is in progress. The version is
    pinned: no scheduled run replaces it until a person approves a version.
    """
    with exit_on_error():
        from pipelines.settings import load_settings

        _roll_back(load_settings(home=home), by, reason, to)


def _roll_back(settings: "Settings", by: str, reason: str, to: int | None) -> None:
    from pipelines.rollback import roll_back, tell_registry

    rollback = roll_back(settings, to)
    out.print(
        f"version {rollback.after} is live instead of {rollback.before}; no run replaces it until "
        "`penchant review approve`"
    )
    try:
        tell_registry(settings, rollback, by, reason)
    except Exception as error:  # MLflow, its database and the network have no common base class
        out.print(
            f"The model registry does not know it: {str(error).splitlines()[0]}. Repeat the command with "
            f"--to {rollback.after} when it is up.",
            soft_wrap=True,
        )


@review.command()
def history(
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Check that no record is missing or changed; exit with 1 if one is."),
    ] = False,
    home: Home = None,
) -> None:
    """Show what was decided about which version: when, by whom, and why.

    ```
    penchant review history --verify
    ```
    """
    with exit_on_error():
        from pipelines.commands.tables import history_table
        from pipelines.review import open_registry
        from pipelines.settings import load_settings

        records = open_registry(load_settings(home=home)).history
        faults = records.verify() if verify else []
        for fault in faults:
            err.print(f"review history: {fault}", style="red")
        if faults:
            raise typer.Exit(FAILED)
        found = records.records()
        out.print(history_table(found))
        if verify:
            last = found[-1].hash() if found else "none"
            out.print(f"{len(found)} records, none missing or changed; hash of the last: {last}")
