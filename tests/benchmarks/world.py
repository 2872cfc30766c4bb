"""Makes a home to measure: random interactions in the shape of MovieLens-1M, and an untrained model.

python -m tests.benchmarks.world HOME [--users N] [--items N]
"""

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.sparse import csr_array

from feature_repo.contract import INTEREST_MODEL, LIVE, RANKING
from feature_repo.feedback import FeedbackPolicy
from feature_repo.interaction import Interaction
from feature_repo.store_addresses import FeatureStoreAddresses
from feature_repo.table_schemas import INTERACTIONS, ITEMS, TIMESTAMP, TRAINING_SET, USERS
from serving.configuration.settings import ServingSettings
from serving.release.collaborative_filters import CollaborativeFilters
from serving.release.ranking_data import write_ranking
from serving.release.user_sequences import UserSequences
from serving.user_data.interaction_log import InteractionLog

VERSION: Final = 1
CATEGORIES: Final = 18

# Users of a group that requests are made for, and the lengths of their histories.
GROUP: Final = 100
LONG, SHORT = 220, 10
NEW: Final = 3

# Feature -> weight, mean and scale, as evaluate_release fits them on MovieLens-1M.
_FEATURES: Final = {
    "interest": (2.36, -12.1, 3.33),
    "ease": (0.057, 0.0002, 0.001),
    "sequence_knn": (0.84, -9.81, 1.68),
    "popularity": (-0.4, -9.04, 1.38),
    "trend": (0.085, -8.39, 0.6),
}
BLEND: Final = {
    "features": list(_FEATURES),
    **{
        name: [feature[index] for feature in _FEATURES.values()]
        for index, name in enumerate(("weights", "means", "scales"))
    },
}


@dataclass(frozen=True)
class Shape:
    """Numbers of users and items; by default those of MovieLens-1M, with about a million interactions."""

    users: int = 6_040
    items: int = 3_706

    @property
    def large(self) -> bool:
        """Whether scores of each user and item, and counts of each pair of items, would take too long."""
        return self.items > 100_000


def groups(shape: Shape) -> dict[str, list[str]]:
    """Return group -> user ids; a group has one length of history, with or without newer interactions.

    Only for users of the `recorded` groups does the benchmark record interactions, so that a world that is
    used again stays the same for the others. A user of a `first` group gets one request, so that no cache of
    the service helps.
    """
    counts = dict.fromkeys(("long_new", "long", "short_new", "short", "recorded", "long_recorded"), GROUP)
    counts |= dict.fromkeys(("long_new_first", "long_first"), shape.users // 3)
    return {kind: [f"{kind}-{number}" for number in range(count)] for kind, count in counts.items()}


def make(home: Path, shape: Shape) -> None:
    """Make the warehouse, online store, log and live release of a home with the pipeline's own functions."""
    settings = ServingSettings(home=home)
    generator = np.random.default_rng(7)
    categories = generator.integers(0, CATEGORIES, (shape.items, 2))
    items = _items(categories)
    home.mkdir(parents=True, exist_ok=True)
    pq.write_table(items, home / "items.parquet")
    as_of = time.time_ns() // 1000
    users, chosen, timestamps = _interactions(generator, categories, shape, as_of)
    _features(home, settings, items, users, chosen, timestamps, as_of)
    release = home / "release"
    _export(items, users, release)
    if shape.large:
        filters = _drawn_filters(generator, shape, users, chosen, timestamps)
    else:
        filters = _filters(home, settings, release)
    embeddings = np.load(release / "item_embeddings.npy")
    write_ranking(release / RANKING, items, embeddings, filters, BLEND, release / "saved_model")
    for kind, source in ((RANKING, release / RANKING), (INTEREST_MODEL, release / "saved_model")):
        target = Path(settings.releases, kind, str(VERSION))
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)
    addresses = FeatureStoreAddresses(settings.features, settings.registry, settings.online_store)
    from components.materialize_features.online_states import materialize_interests
    from components.saved_model import SavedInterestModel

    with SavedInterestModel(Path(settings.releases, INTEREST_MODEL, str(VERSION))) as model:
        materialize_interests(VERSION, model.interests, addresses)
    Path(settings.releases, LIVE).write_text(json.dumps({"version": VERSION}))
    _record(settings, shape)


def _items(categories: NDArray[np.int64]) -> pa.Table:
    count = len(categories)
    empty = {name: pa.nulls(count, ITEMS.field(name).type) for name in ITEMS.names}
    named = [sorted({f"category {c}" for c in row}) for row in categories.tolist()]
    ids, titles = [f"{i}" for i in range(count)], [f"The Title of Item {i} (1999)" for i in range(count)]
    return pa.table({**empty, "item_id": ids, "title": titles, "categories": named}, schema=ITEMS)


def _interactions(
    generator: np.random.Generator, categories: NDArray[np.int64], shape: Shape, as_of: int
) -> tuple[NDArray[np.str_], NDArray[np.int64], NDArray[np.int64]]:
    """Return user ids, items and timestamps (µs), by user and time.

    The popularity of items falls with their rank, and each user prefers some categories.
    """
    names = [user for group in groups(shape).values() for user in group]
    counts = np.clip(generator.lognormal(np.log(96), 1.0, shape.users), 20, 0.4 * shape.items).astype(int)
    counts[: len(names)] = [LONG if name.startswith("long") else SHORT for name in names]
    ids = np.array([*names, *(f"user-{number}" for number in range(shape.users - len(names)))])
    popularity = -0.8 * np.log(np.arange(1, shape.items + 1))
    chosen = []
    for count in counts:
        if shape.large:
            drawn = generator.zipf(1.2, 4 * count) % shape.items
            chosen.append(generator.permutation(np.unique(drawn))[:count])
            continue
        preference = generator.normal(0, 1, CATEGORIES)[categories].sum(axis=1)
        drawn = popularity + preference + generator.gumbel(size=shape.items)
        chosen.append(generator.permutation(np.argpartition(-drawn, count)[:count]))
    lengths = np.array([len(row) for row in chosen])
    age = np.concatenate([np.arange(length, 0, -1) for length in lengths])
    return np.repeat(ids, lengths), np.concatenate(chosen), as_of - age * 3_600_000_000


def _features(
    home: Path,
    settings: ServingSettings,
    items: pa.Table,
    users: NDArray[np.str_],
    chosen: NDArray[np.int64],
    timestamps: NDArray[np.int64],
    as_of: int,
) -> None:
    from components.build_features.feature_tables import build
    from components.materialize_features.materialization import materialize

    count = len(users)
    nullable = pa.schema([(field.name, field.type) for field in INTERACTIONS])
    columns = {name: pa.nulls(count, nullable.field(name).type) for name in nullable.names} | {
        "interaction_id": [f"interaction-{n:012}" for n in range(count)],
        "user_id": users,
        "item_id": [str(item) for item in chosen],
        "event_type": ["rate"] * count,
        "value": np.random.default_rng(1).integers(1, 6, count).astype(float),
        "timestamp": pa.array(timestamps).cast(TIMESTAMP),
    }
    pq.write_table(pa.table(columns, schema=nullable), home / "interactions.parquet")
    pq.write_table(USERS.empty_table(), home / "users.parquet")
    interactions, users_file = home / "interactions.parquet", home / "users.parquet"
    warehouse, spine = f"{settings.home}/warehouse", home / "spine.parquet"
    build(interactions, users_file, FeedbackPolicy(), as_of, "leave-one-out", warehouse, spine)
    addresses = FeatureStoreAddresses(settings.features, settings.registry, settings.online_store)
    materialize(addresses, as_of)


def _filters(home: Path, settings: ServingSettings, release: Path) -> CollaborativeFilters:
    from components.fetch_training_set.training_set import fetch
    from components.train_collaborative_filters.fitting import fit

    addresses = FeatureStoreAddresses(settings.features, settings.registry, settings.online_store)
    fetch(home / "spine.parquet", addresses, home / "training_set.parquet")
    fit(home / "training_set.parquet", home / "items.parquet", "all", release / "filters", FeedbackPolicy())
    return CollaborativeFilters.load(release / "filters")


def _drawn_filters(
    generator: np.random.Generator,
    shape: Shape,
    users: NDArray[np.str_],
    chosen: NDArray[np.int64],
    timestamps: NDArray[np.int64],
) -> CollaborativeFilters:
    """Return random filters for a large catalog: 30 entries in a row, popular items more often."""

    def drawn(rows: int, entries: int) -> csr_array:
        columns = np.sort(generator.zipf(1.2, (rows, entries)) % shape.items, axis=1).astype(np.int32)
        weights = generator.random(rows * entries, np.float32) / entries
        starts = np.arange(rows + 1, dtype=np.int64) * entries
        return csr_array((weights, columns.ravel(), starts), shape=(rows, shape.items))

    popularity = (1e6 / np.arange(1, shape.items + 1)).astype(np.float32)
    matrices = (drawn(shape.items, 30), drawn(shape.items, 30), drawn(shape.users, 160))
    factors = generator.normal(scale=0.1, size=(shape.items, 64)).astype(np.float32)
    owners = np.unique(users, return_inverse=True)[1].astype(np.int32)
    order = np.argsort(owners, kind="stable")
    sequences = UserSequences.of(
        owners[order],
        chosen[order].astype(np.int32),
        timestamps[order],
        shape.items,
        half_weight_us=6 * 86_400_000_000,
    )
    trend = popularity / np.float32(10)
    return CollaborativeFilters(
        *matrices, popularity=popularity, trend=trend, als=factors, user_sequences=sequences
    )


def _export(items: pa.Table, users: NDArray[np.str_], release: Path) -> None:
    """Export an untrained LSTM of the size that training would choose."""
    from components.train_interest_model.auto_hyperparameters import Statistics, resolve
    from components.train_interest_model.data.item_content import ContentEncoder
    from components.train_interest_model.data.vocabulary import Vocabulary
    from components.train_interest_model.export.saved_model_writer import export
    from components.train_interest_model.hyperparameters import Hyperparameters
    from components.train_interest_model.network.model import InterestModel

    count = len(users)
    statistics = Statistics(count, count // 160, len(items), 160, 0.0)
    hyperparameters, _ = resolve(Hyperparameters(), statistics)
    content = ContentEncoder.fit(items.slice(0, 50_000)).transform(items)
    vocabulary = Vocabulary(items["item_id"].to_pylist(), ["rate"], [1.0, 2.0, 3.0, 4.0, 5.0])
    model = InterestModel(hyperparameters, len(items), vocabulary.sizes, content)
    release.mkdir(parents=True, exist_ok=True)
    export(model, vocabulary, True, _probes(items), release)


def _probes(items: pa.Table) -> pa.Table:
    """Return a row of a training set, which the export needs to check itself."""
    row: dict[str, Any] = {
        "user_id": "probe",
        "target_item_id": None,
        "item_ids": items["item_id"].slice(0, 5).to_pylist(),
        "event_types": ["rate"] * 5,
        "values": [1.0, 2.0, 3.0, 4.0, 5.0],
        "timestamps": [minute * 60_000_000 for minute in range(1, 6)],
    }
    return pa.Table.from_pylist([row], schema=TRAINING_SET)


def _record(settings: ServingSettings, shape: Shape) -> None:
    """Record NEW interactions after the snapshot, for the users of the groups with `new` in their names."""
    now, log = time.time_ns() // 1000, InteractionLog(settings.interaction_log)
    kinds = groups(shape)
    for user in [*kinds["long_new"], *kinds["short_new"], *kinds["long_new_first"]]:
        new = [
            Interaction(f"{user}-new-{n}", user, str((17 * n + 5) % shape.items), "rate", now + n, 4.0)
            for n in range(NEW)
        ]
        log.record(new)
    log.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    for name in ("users", "items"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Shape, name))
    arguments = parser.parse_args()
    make(arguments.home, Shape(arguments.users, arguments.items))


if __name__ == "__main__":
    main()
