"""The whole way in a few minutes, on public data: the scheduler's, the reviewer's, the client's part."""

import shlex
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
from rich.console import Console

from components.ingest_interactions.datasets import find
from components.register_release.registry import CANDIDATE
from pipelines.commands.tables import metrics_table, recommendations_table
from pipelines.errors import RunError
from pipelines.pipeline_arguments import source_arguments, training_arguments
from pipelines.review import approve, registry_of
from pipelines.runner import run_locally
from pipelines.serving_processes import serving
from pipelines.settings import Settings, load_settings
from pipelines.training import training
from serving.answers import Answer
from serving.client import Recommender
from serving.release.catalog import Catalog
from serving.release.ranking_data import Ranking
from serving.release.release_store import ReleaseStore

DEFAULT = "movielens-100k"

# A history to have a taste by, short enough that three interactions show.
TYPICAL_HISTORY = 60

# A category with a smaller share of all interactions is a niche: three items of it say little.
SIZABLE = 0.05


@dataclass(frozen=True)
class Taste:
    """A category that is not in a user's answer, and the items at its heart."""

    category: str
    items: list[str]


def demonstrate(dataset: str, home: Path | None, console: Console) -> None:
    """Train, approve, serve, ask, record three interactions of another taste, ask again."""
    settings = load_settings(home=home or Path(".penchant" if dataset == DEFAULT else f".penchant-{dataset}"))
    _install(dataset, console)

    console.rule("1. The scheduler runs the training pipeline", align="left")
    arguments = training_arguments(settings, "time", 0.05, {}) | {"policy": "review"}
    folder = run_locally(training, settings, arguments | source_arguments(dataset, None, None, None))

    console.rule("2. The reviewer approves the candidate", align="left")
    console.print(approve(settings, _candidate(settings), "demo"))

    console.rule("3. The client asks, records, and asks again", align="left")
    with serving(settings, 0, 0) as processes, Recommender(processes.recommender) as recommender:
        _follow(recommender, _typical_user(folder), settings, console)

    console.rule("4. How good it is", align="left")
    console.print(metrics_table(folder))
    _next_steps(settings, folder, dataset, console)


def _follow(recommender: Recommender, user: str, settings: Settings, console: Console) -> None:
    before = recommender.recommend(user)
    ranking = ReleaseStore(settings.releases).open(before.release_version)
    console.print(recommendations_table(before, title=f"User {user}, before"))
    taste = _another_taste(before, ranking)
    for item in taste.items:
        recommender.record(user, item, event_type="rate", value=5.0)
        title = ranking.catalog.titles[ranking.catalog.index[item]]
        console.print(f"recorded: user {user} rates {title} with 5 [dim]({taste.category})[/]")
    returned = time.perf_counter()
    after = recommender.recommend(user)
    elapsed_ms = 1000 * (time.perf_counter() - returned)
    console.print(recommendations_table(after, title=f"User {user}, {elapsed_ms:.0f} ms later"))
    counts = [sum(taste.category in item.categories for item in a.recommendations) for a in (before, after)]
    console.print(f"{taste.category} among the ten: {counts[0]} before, {counts[1]} after.")


def _typical_user(folder: Path) -> str:
    """The user whose history is nearest to the typical length; by id where several are."""
    snapshot = next(folder.glob("steps/*/ingest-interactions/interactions"))
    rows = duckdb.execute(
        "SELECT user_id FROM read_parquet(?) GROUP BY user_id ORDER BY abs(count(*) - ?), user_id LIMIT 1",
        [str(snapshot), TYPICAL_HISTORY],
    ).fetchall()
    return str(rows[0][0])


def _another_taste(answer: Answer, ranking: Ranking) -> Taste:
    """The category, of those absent from the answer, whose items most keep to themselves.

    Its heart are the three items nearest to the rest of it by item-item cosine.
    """
    cosine, popularity = ranking.filters.item_cosine, ranking.filters.popularity
    present = {category for item in answer.recommendations for category in item.categories}
    cohesion, hearts = {}, {}
    for category, members in _members(ranking.catalog).items():
        near = cosine[members]
        within = np.asarray(near[:, members].sum(axis=1)).ravel()
        share = popularity[members].sum() / popularity.sum()
        if category not in present and share >= SIZABLE:
            cohesion[category] = within.sum() / near.sum() / share
        hearts[category] = [members[place] for place in np.argsort(-within, kind="stable")[:3]]
    category = max(cohesion or hearts, key=lambda name: (cohesion.get(name, 0.0), name))
    return Taste(category, [ranking.catalog.item_ids[index] for index in hearts[category]])


def _members(catalog: Catalog) -> dict[str, list[int]]:
    members: dict[str, list[int]] = {}
    for index, categories in enumerate(catalog.categories):
        for category in categories:
            members.setdefault(category, []).append(index)
    return members


def _candidate(settings: Settings) -> int:
    versions: Sequence[int] = [v.number for v in registry_of(settings).versions() if CANDIDATE in v.aliases]
    return versions[0]


def _install(dataset: str, console: Console) -> None:
    found = find(dataset)
    if found.installed:
        return
    console.print(f"installing {found.requirement}, which carries {found.title}")
    done = subprocess.run(shlex.split(found.install), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RunError(f"`{found.install}` failed: {done.stderr.strip()}")


def _next_steps(settings: Settings, folder: Path, dataset: str, console: Console) -> None:
    home = "" if dataset == DEFAULT else f" --home {settings.home}"
    console.rule("What to try next", align="left")
    for what, command in (
        (
            "ask yourself",
            f"penchant serve{home}      and in another terminal: penchant recommend 196 --explain",
        ),
        ("learn from what you record", f"penchant run{home}"),
        ("the versions, and going back", f"penchant review list{home}; penchant review rollback{home}"),
        ("the evaluation report, with plots", f"open {folder / 'report.html'}"),
        ("the Data Docs of the validation", f"open {folder / 'data_docs.html'}"),
        ("every run in MLflow", f"mlflow ui --workers 1 --backend-store-uri {settings.tracking_uri}"),
    ):
        console.print(f"[dim]{what:>34}:[/] {command}", soft_wrap=True)
    console.print("[dim]The commands are in .venv/bin: `source .venv/bin/activate` first.[/]")
