"""The commands of `penchant review`: list, show, diff, approve, reject, roll back, prune and watch."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from feature_repo.counts import counted
from pipelines.commands.dossiers import card, diff, show
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
penchant review card 7
penchant review approve 7 --reason "better for new users"
penchant review reject 7 --reason "too few new items"
penchant review rollback
penchant review history
penchant review prune --dry-run
penchant review watch
```
""",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

Reason = Annotated[
    str | None,
    typer.Option(
        help="The reason; the history keeps it. You are asked for it if it is missing.", show_default=False
    ),
]


@review.command("list")
def list_(
    page: Annotated[int, typer.Option(min=1, help="Older versions are on the pages 2, 3, …")] = 1,
    size: Annotated[int, typer.Option(min=1, max=1000, help="The versions of a page.")] = 20,
    home: Home = None,
) -> None:
    """List the registered versions, newest first.

    It reads the review history, so it works while MLflow is down.
    """
    with exit_on_error():
        from components.register_release.reviewed_versions import reviewed_versions
        from pipelines.commands.tables.versions import versions_table
        from pipelines.review.rollback import open_history, write_history
        from pipelines.settings import load_settings
        from serving.release.published_versions import PublishedVersions

        settings = load_settings(home=home)
        store = PublishedVersions(settings.releases)
        write_history(settings, late=True)
        versions = reviewed_versions(open_history(settings).records())
        if not versions:
            out.print("No version is registered yet. Train one: penchant run")
            return
        shown = versions[(page - 1) * size : page * size]
        out.print(versions_table(shown, store.live(), store.rollback_target()))
        if len(versions) > page * size:
            out.print(f"{len(versions):,} versions; older ones: penchant review list --page {page + 1}")


review.command()(show)
review.command()(diff)
review.command()(card)


@review.command()
def approve(
    version: Number,
    by: By,
    reason: Reason = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overrule the release gate, which found the version worse.")
    ] = False,
    home: Home = None,
) -> None:
    """Make a version live.

    The version is published and smoke-tested before the switch; if the test fails, the live version stays.
    """
    with exit_on_error():
        from pipelines.review import decisions as reviews
        from pipelines.settings import load_settings

        reason = _ask_unless_given(reason)
        out.print(reviews.approve(load_settings(home=home), version, by, reason, force))


@review.command()
def reject(
    version: Number,
    by: By,
    reason: Reason = None,
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
        from pipelines.review import decisions as reviews
        from pipelines.settings import load_settings
        from serving.release.published_versions import PublishedVersions

        reason = _ask_unless_given(reason)
        settings = load_settings(home=home)
        is_live = reviews.reject(settings, version, by, reason)
        out.print(f"version {version} is rejected: {reason}")
        if not is_live:
            return
        target = PublishedVersions(settings.releases).rollback_target()
        if target is None:
            out.print(
                f"Version {version} is still live, and no other one is published: approve another version "
                "(`penchant review list`), or train one with `penchant run`.",
                soft_wrap=True,
            )
            return
        if rollback is None:
            question = f"Version {version} is live. Roll back to version {target} now?"
            rollback = sys.stdin.isatty() and typer.confirm(question)
        if rollback:
            _roll_back(settings, by, f"rejected: {reason}", target)
            reviews.unpublish_rejected(settings, version)
        else:
            out.print(
                f"Version {version} is still live; `penchant review rollback` makes version {target} live."
            )


@review.command()
def rollback(
    by: By,
    to: Annotated[
        int | None,
        typer.Option(help="A published version. Default: the one that was live before the current one."),
    ] = None,
    reason: Annotated[str, typer.Option(help="The reason; the history keeps it.")] = "no reason given",
    accept_tainted: Annotated[
        bool,
        typer.Option(
            "--accept-tainted", help="Take a version that learned from a user who was erased since."
        ),
    ] = False,
    home: Home = None,
) -> None:
    """Make an earlier version live again, at once.

    It needs neither MLflow nor Kubeflow, and does not wait for a training that is in progress. The version is
    pinned: no scheduled run replaces it until a person approves a version.
    """
    with exit_on_error():
        from pipelines.settings import load_settings

        _roll_back(load_settings(home=home), by, reason, to, accept_tainted)


def _roll_back(
    settings: "Settings", by: str, reason: str, to: int | None, accept_tainted: bool = False
) -> None:
    from components.errors import StepError
    from pipelines.review.rollback import roll_back, write_history

    switch = roll_back(settings, by, reason, to, accept_tainted)
    out.print(
        f"version {switch.version} is live instead of {switch.before}; no run replaces it until "
        "`penchant review approve`"
    )
    try:
        write_history(settings)
    except StepError as error:
        out.print(
            f"The review history lacks it: {error}. The next `penchant review` command writes it.",
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
        from pipelines.commands.tables.versions import history_table
        from pipelines.review.rollback import open_history, write_history
        from pipelines.settings import load_settings

        settings = load_settings(home=home)
        write_history(settings, late=True)
        records = open_history(settings)
        faults = records.verify() if verify else []
        for fault in faults:
            err.print(f"review history: {fault}", style="red")
        if faults:
            raise typer.Exit(FAILED)
        found = records.records()
        out.print(history_table(found))
        if verify:
            last = records.last_hash() or "none"
            out.print(f"{counted(len(found), 'record')}, none missing or changed; hash of the last: {last}")


@review.command()
def prune(
    by: By,
    days: Annotated[
        float | None,
        typer.Option(min=0, help="The least age. Default: PENCHANT_PRUNE_AFTER_DAYS, else 30."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show the versions that would be pruned.")
    ] = False,
    home: Home = None,
) -> None:
    """Delete the artifacts of old versions that were rejected or failed the smoke test.

    Their metrics, evaluation and history stay. Versions that are live, previous, candidate, published, or
    have another alias or the tag `pinned` in MLflow are never pruned.
    """
    with exit_on_error():
        from components.register_release import pruning
        from pipelines.review.decisions import open_registry
        from pipelines.settings import load_settings
        from serving.release.published_versions import PublishedVersions

        settings = load_settings(home=home)
        registry, published = open_registry(settings), PublishedVersions(settings.releases).versions()
        age = settings.prune_after_days if days is None else days
        versions = pruning.select(registry, age, published)
        for version in versions:
            if not dry_run:
                pruning.prune(registry, version, by)
            verb = "would be pruned" if dry_run else "is pruned"
            out.print(f"version {version.number} {verb}: {version.review}")
        if not versions:
            out.print(f"no rejected or failed version is older than {age:g} days")


@review.command()
def watch(
    end_with_parent: Annotated[
        bool, typer.Option("--end-with-parent", hidden=True, help="Stop when standard input closes.")
    ] = False,
    home: Home = None,
) -> None:
    """Promote the version to which somebody moves the alias "live" in MLflow, until Ctrl-C.

    The version is published and smoke-tested first. If it must not go live, the alias is set back, and the
    history says why. `penchant serve` does the same.
    """
    with exit_on_error():
        from pipelines.review.alias_watcher import watch as watch_aliases
        from pipelines.settings import load_settings
        from serving.process.parent_process import end_with_parent as stop_with_parent

        if end_with_parent:
            stop_with_parent()
        watch_aliases(load_settings(home=home), lambda line: out.print(line, soft_wrap=True))


def _ask_unless_given(reason: str | None) -> str:
    """Return the reason of a decision, from the option or from who is asked for it.

    Raises:
        ValueError: there is none, and nobody to ask.
    """
    if reason is None:
        try:
            reason = str(typer.prompt("Reason"))
        except typer.Abort:
            if sys.stdin.isatty():  # Ctrl-C
                raise
            out.print()
    if not (reason or "").strip():
        raise ValueError("--reason: expected a text; the review history keeps it with the decision")
    return str(reason)
