"""`penchant review show`, `diff` and `card`: the dossier of a version or of two, and the model card."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.commands.errors import exit_on_error, out
from pipelines.commands.options import Home, Number

if TYPE_CHECKING:
    from components.evaluate_release.dossier.registered import Dossier
    from components.register_release.model_registry import Registry
    from pipelines.settings import Settings

Open = Annotated[bool, typer.Option("--open", help="Open the page in the browser.")]


def show(version: Number, open_page: Open = False, home: Home = None) -> None:
    """Show what speaks for and against a version: its verdict, figures, data, costs and examples.

    It is compared with the version that was live when it was trained. The page says the same, and more.

    ```
    penchant review show 7 --open
    ```
    """
    with exit_on_error():
        from components.evaluate_release.dossier.registered import fetch_dossier
        from components.register_release.reviewed_versions import reviewed_versions
        from pipelines.commands.tables.versions import history_table, versions_table
        from pipelines.local_run.recovery import recover_home
        from pipelines.review.decisions import download_evaluation, open_registry
        from pipelines.settings import load_settings
        from serving.release.published_versions import PublishedVersions

        settings = load_settings(home=home)
        registry = open_registry(settings)
        for message in recover_home(settings, registry, []):
            out.print(message, style="dim", soft_wrap=True)
        entry = registry.version(version)
        dossier = fetch_dossier(registry.client, version, entry.run_id)
        if dossier:
            _show(settings, registry, dossier, f"version-{version}", open_page)
        records = [record for record in registry.history.records() if record.version == version]
        out.print(history_table(records, title=f"Decisions about version {version}"))
        if not dossier:
            out.print(versions_table(reviewed_versions(records), PublishedVersions(settings.releases).live()))
            files = download_evaluation(registry, entry, settings.home / "review" / str(version))
            out.print(
                f"Version {version} has no dossier; the files of its evaluation: {'' if files else 'none'}"
            )
            for file in files:
                out.print(str(file), soft_wrap=True)


def card(
    version: Number,
    for_users: Annotated[
        bool,
        typer.Option("--for-users", help="Print what users should know: what decides, and how to change it."),
    ] = False,
    home: Home = None,
) -> None:
    """Print the model card of a version, as Markdown: data, accuracy by group, limits, privacy, approval.

    ```
    penchant review card 7 > model_card.md
    penchant review card 7 --for-users
    ```
    """
    with exit_on_error():
        from components.errors import StepError
        from components.evaluate_release.dossier.model_card import model_card, user_page
        from components.evaluate_release.dossier.registered import fetch_dossier
        from pipelines.review.decisions import open_registry
        from pipelines.settings import load_settings
        from serving.release.published_versions import PublishedVersions
        from serving.release.tainted_versions import tainted_versions

        settings = load_settings(home=home)
        registry = open_registry(settings)
        dossier = fetch_dossier(registry.client, version, registry.version(version).run_id)
        if dossier is None:
            raise StepError(
                f"version {version} has no dossier, and its model card is written from the dossier"
            )
        if for_users:
            typer.echo(user_page(dossier.page), nl=False)
            return
        decisions = [asdict(record) for record in registry.history.records() if record.version == version]
        receipts = tainted_versions(PublishedVersions(settings.releases)).get(version, [])
        typer.echo(model_card(dossier.page, version, decisions, receipts), nl=False)


def diff(
    before: Annotated[int, typer.Argument(metavar="A", help="A version number.")],
    after: Annotated[int, typer.Argument(metavar="B", help="The version that is compared with A.")],
    open_page: Open = False,
    home: Home = None,
) -> None:
    """Compare any two versions, on the queries that both evaluations held out.

    ```
    penchant review diff 6 7 --open
    ```
    """
    with exit_on_error():
        from pipelines.review.decisions import compare, open_registry
        from pipelines.settings import load_settings

        if before == after:
            raise ValueError(f"version {before} can't be compared with itself: give two versions")
        settings = load_settings(home=home)
        registry = open_registry(settings)
        _show(settings, registry, compare(registry, before, after), f"versions-{before}-{after}", open_page)


def _show(settings: "Settings", registry: "Registry", dossier: "Dossier", name: str, open_page: bool) -> None:
    """Print a dossier, write its page, and open that if asked to."""
    from pipelines.commands.tables.dossiers import dossier_tables
    from pipelines.review.decisions import write_page

    for part in dossier_tables(dossier):
        out.print(part)
        out.print()
    file = write_page(settings, registry, dossier, name)
    out.print(f"The page: {file}", soft_wrap=True)
    if open_page:
        typer.launch(str(file))
