"""Measures what negative opinions do to the answers of the running recommender.

python -m tests.benchmarks.feedback [--dataset NAME] [--users N] [--home DIR]

It trains on a public data set and on planted opinions, in temporary folders, and serves each release. On the
data set, users dislike three items of the most frequent category of their answer, and visitors rate five
items of a category 1. On the planted opinions, it counts the places of the genre that each person loves or
hates. All figures are written to bench-feedback.json in --home.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from components.ingest_interactions.datasets.registry import REGISTRY
from feature_repo.interaction import Interaction
from pipelines.local_run.runner import run_locally
from pipelines.pipeline_arguments import source_arguments, training_arguments
from pipelines.review.decisions import approve, open_registry
from pipelines.servers.servers import serve_live_release
from pipelines.settings import load_settings
from pipelines.training_pipeline import training
from serving.answers import Answer
from serving.client import Recommender
from serving.release.arrays import FloatArray
from serving.release.catalog import Catalog
from serving.release.release_store import ReleaseStore
from tests.benchmarks.opinions import FLOP, SEED, Person, make_people, write_files

K: Final = 10
DISLIKES: Final = 3
VISITOR_K: Final = 20
VISITOR_RATINGS: Final = 5
MIN_CATEGORY: Final = 20  # items of a category that visitors rate

Figures = dict[str, float]


@dataclass(frozen=True)
class Served:
    """A release that was trained and is served."""

    client: Recommender
    catalog: Catalog
    popularity: FloatArray  # [items]
    user_ids: list[str]


@contextmanager
def served(home: Path, dataset: str = "", interactions: str = "", items: str = "") -> Iterator[Served]:
    """Train on the sources in `home`, and serve the release."""
    settings = load_settings(home=home)
    arguments = training_arguments(settings, "time", 0.05, {}) | {"policy": "review"}
    sources = source_arguments(dataset, interactions, items, "")
    folder = run_locally(training, settings, arguments | sources)
    approve(settings, open_registry(settings).versions()[0].number, "benchmark", "to be measured")
    ingested = next(folder.glob("steps/*/ingest-interactions/interactions"))
    user_ids = pq.read_table(ingested, columns=["user_id"])["user_id"].unique().sort().to_pylist()
    with (
        serve_live_release(settings, 0, 0) as processes,
        Recommender(processes.recommender, timeout_s=30) as client,
    ):
        ranking = ReleaseStore(settings.releases).open(client.recommend("").release_version)
        yield Served(client, ranking.catalog, ranking.filters.popularity, user_ids)


def measure(folder: Path, dataset: str, users: int) -> Iterator[tuple[str, Figures]]:
    """Yield the title and the figures of each measurement."""
    people = make_people()
    interactions, items = write_files(people, folder)
    with served(folder / "planted", interactions=str(interactions), items=str(items)) as release:
        yield "planted opinions", loved_and_hated(release, people)
    with served(folder / "public", dataset=dataset) as release:
        yield f"{dataset}: users who dislike {DISLIKES} items", after_three_dislikes(release, users)
        yield f"{dataset}: visitors who rate {VISITOR_RATINGS} items", visitors(release)


def after_three_dislikes(release: Served, count: int) -> Figures:
    """Let users dislike DISLIKES items of the most frequent category of their K items; ask again."""
    user_ids = np.random.default_rng(SEED).permutation(release.user_ids)[:count].tolist()
    reactions = [_reaction(release.client, user_id) for user_id in user_ids]
    before, after, explained, repeated = (np.array(each) for each in zip(*reactions, strict=True))
    return {
        "users": len(reactions),
        "users with less of the category": float((after < before).mean()),
        "users with at most half of it": float((after <= before / 2).mean()),
        "places of the category before": float(before.mean()),
        "places of the category after": float(after.mean()),
        "answers that say so": float(explained.mean()),
        "answers with a disliked item": float(repeated.mean()),
    }


def _reaction(client: Recommender, user_id: str) -> tuple[int, int, bool, bool]:
    """Return the places of the category before and after, whether the answer says so, and repeats an item."""
    before = client.recommend(user_id, k=K)
    counts = {name: _places(before, name) for item in before.recommendations for name in item.categories}
    category = max(counts, key=lambda name: (counts[name], name))
    disliked = _ids(client.recommend(user_id, k=DISLIKES, categories=[category]))
    for item_id in disliked:
        client.record(user_id, item_id, event_type="dislike")
    after = client.recommend(user_id, k=K)
    says_so = any(effect.category == category for effect in after.dislike_effects)
    everything = _ids(client.recommend(user_id, k=1_000, include_seen=True))
    return counts[category], _places(after, category), says_so, not everything.isdisjoint(disliked)


def visitors(release: Served) -> Figures:
    """Let a visitor for each category rate its VISITOR_RATINGS most popular items 1, and another one 5."""
    rows = []
    for category, column in release.catalog.category_index.items():
        members = release.catalog.content[:, [column]].nonzero()[0]
        if len(members) < MIN_CATEGORY:
            continue
        popular = members[np.argsort(-release.popularity[members], kind="stable")][:VISITOR_RATINGS]
        item_ids = [release.catalog.item_ids[item] for item in popular]
        rows.append([_visitor(release.client, category, item_ids, value) for value in (None, 1.0, 5.0)])
    stranger, low, high = np.array(rows).T
    return {
        "categories": len(rows),
        f"places of the category among {VISITOR_K}, no ratings": float(stranger.mean()),
        f"places of the category among {VISITOR_K}, rated 1": float(low.mean()),
        f"places of the category among {VISITOR_K}, rated 5": float(high.mean()),
        "visitors with more of what they rated 1": float((low > stranger).mean()),
    }


def _visitor(client: Recommender, category: str, item_ids: list[str], value: float | None) -> int:
    history = [
        Interaction("", "", item_id, "rate", 1_700_000_000_000_000 + position, value)
        for position, item_id in enumerate(item_ids)
        if value is not None
    ]
    return _places(client.recommend("", k=VISITOR_K, history=history), category)


def loved_and_hated(release: Served, people: list[Person]) -> Figures:
    """Count the places of each person's loved and hated genre among K, and ask as a stranger."""
    answers = [(person, release.client.recommend(person.user_id, k=K)) for person in people]
    stranger = release.client.recommend("", k=VISITOR_K)
    return {
        "people": len(answers),
        "places of the loved genre": sum(_places(answer, person.loved) for person, answer in answers),
        "places of the hated genre": sum(_places(answer, person.hated) for person, answer in answers),
        "places of the film that everyone rates 1": sum(
            item.item_id == FLOP for _, answer in answers for item in answer.recommendations
        ),
        f"its rank among {VISITOR_K} for a stranger, 0 for none": next(
            (rank for rank, item in enumerate(stranger.recommendations, 1) if item.item_id == FLOP), 0
        ),
    }


def _ids(answer: Answer) -> set[str]:
    return {item.item_id for item in answer.recommendations}


def _places(answer: Answer, category: str) -> int:
    return sum(category in item.categories for item in answer.recommendations)


def table(title: str, figures: Figures) -> Table:
    """Return a table of one row per figure."""
    shown = Table("figure", title=title, title_justify="left")
    shown.add_column("value", justify="right")
    for name, value in figures.items():
        shown.add_row(name, f"{value:,}" if isinstance(value, int) else f"{value:.3f}")
    return shown


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.feedback",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--dataset", default="movielens-100k", choices=list(REGISTRY))
    parser.add_argument("--users", type=int, default=200, help="users who dislike items (default: 200)")
    parser.add_argument(
        "--home",
        type=Path,
        default=Path(".penchant"),
        help="folder for bench-feedback.json (default: .penchant)",
    )
    arguments = parser.parse_args()
    console, results = Console(width=100), dict[str, Figures]()
    with TemporaryDirectory() as temporary:
        for title, figures in measure(Path(temporary), arguments.dataset, arguments.users):
            console.print(table(f"{title} (seed {SEED})", figures))
            results[title] = figures
    arguments.home.mkdir(parents=True, exist_ok=True)
    (arguments.home / "bench-feedback.json").write_text(json.dumps({"seed": SEED, **results}, indent=2))
    console.print(f"written to {arguments.home / 'bench-feedback.json'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
