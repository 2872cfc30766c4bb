"""Searches, and dislikes of any age, mean the same before and after the nightly run takes them in.

Before: an early snapshot from the online store, and everything later from the interaction log. After: a
snapshot of everything.
"""

import asyncio
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.evaluate_release.data.queries import Queries, read_queries
from components.evaluate_release.data.searches import read_searches
from components.materialize_features.materialization import materialize
from feature_repo.contract import MAX_HISTORY, MAX_SEARCHES
from feature_repo.feedback import FeedbackPolicy
from feature_repo.interaction import Interaction
from feature_repo.table_schemas import TRAINING_SET
from serving.online_store.online_features import OnlineFeatures
from serving.ranking.indexed_user import IndexedUser
from serving.user_data.history_reader import HistoryReader
from serving.user_data.interaction_log import InteractionLog
from serving.user_history import UserHistory
from tests.feature_repo.planted import START, build_warehouse, interaction, interactions_table, search
from tests.serving.rankings import ranking

# Less than MAX_HISTORY interactions are newer than the snapshot.
SNAPSHOT, NOW = START + 650, START + 1_000
STEADY = [interaction("steady", f"i{at}", at) for at in (1, 2, 3, 4)]
EVENTS = ("view", "view", "view", "view", "view", "like", "dislike", "skip", "undislike", "unlike")


def read(directory: Path, log: list[Interaction], until: int) -> UserHistory:
    """Return ann's history at NOW, from a snapshot at `until` and from the log of what came later."""
    warehouse = build_warehouse(directory, [row for row in log if row.timestamp < until], until)
    materialize(warehouse.addresses, until)
    recorded = InteractionLog(f"sqlite:///{directory}/log.db")
    recorded.record([row for row in log if row.timestamp >= until - 100])
    reader = HistoryReader(lambda: OnlineFeatures(warehouse.addresses), recorded)
    user = asyncio.run(reader.read("ann", 10))
    reader.close()
    assert user.degraded == ()
    return user


def held_out_query(interactions: list[Interaction], item_ids: list[str]) -> Queries:
    """Return the evaluation's query of ann at NOW, with the next interaction as the target."""
    target = {"user_id": "ann", "cutoff": NOW, "split": "test", "target_item_id": "item-0"}
    everything = training_row(interactions) | {"user_id": "ann", "cutoff": NOW, "split": "all"}
    rows = [everything, training_row(interactions[-MAX_HISTORY:]) | target]
    table = pa.Table.from_pylist(rows, TRAINING_SET)
    return read_queries(table, "test", pa.array(item_ids), 0, FeedbackPolicy(), keep_seen=True)


def training_row(interactions: list[Interaction]) -> dict[str, Any]:
    names = ("interaction_id", "item_id", "event_type", "value", "timestamp")
    return {f"{name}s": [getattr(row, name) for row in interactions] for name in names}


@pytest.fixture(scope="module")
def log() -> list[Interaction]:
    random = Random(7)
    log = list(STEADY)
    for at in range(1, 999, 2):
        event, item = random.choice(EVENTS), f"item-{random.randrange(150)}"
        log.append(Interaction(f"ann-{at:04}", "ann", item, event, START + at))
    return log + [search("ann", f"words {at % 300}", at) for at in range(0, 999, 90)]


def test_searches_and_dislikes_are_equal_before_and_after_the_nightly_run(
    log: list[Interaction], tmp_path: Path
) -> None:
    early, late = read(tmp_path / "early", log, SNAPSHOT), read(tmp_path / "late", log, NOW)
    assert early.searches == late.searches
    assert early.searches.timestamps == [START + at for at in range(180, 999, 90)][-MAX_SEARCHES:]
    assert early.whole is not None
    assert late.whole is None
    assert early.history.item_ids == late.history.item_ids

    release = ranking(200)
    disliked = {int(item) for item in IndexedUser(release, early).disliked}
    assert disliked == {int(item) for item in IndexedUser(release, late).disliked}
    own = sorted((row for row in log if row.user_id == "ann" and row.item_id), key=lambda row: row.timestamp)
    preferences = FeedbackPolicy().preferences(
        [row.item_id for row in own],
        [row.event_type for row in own],
        [row.value for row in own],
        [row.timestamp for row in own],
    )
    pairs = list(zip(own, preferences.tolist(), strict=True))
    everything = {row.item_id for row, preference in pairs if preference <= -0.5}
    assert disliked == {release.catalog.index[item] for item in everything}
    older = {row.item_id for row, preference in pairs[:-MAX_HISTORY] if preference <= -0.5}
    assert older >= set(late.disliked_before) > set()
    evaluated = held_out_query(own, release.catalog.item_ids)
    assert evaluated.histories[0].item_ids == list(late.history.item_ids)
    assert {release.catalog.item_ids[item] for item in evaluated.disliked_before[0]} == older
    pq.write_table(interactions_table(log), tmp_path / "interactions.parquet")
    assert read_searches(tmp_path / "interactions.parquet", ["ann"], evaluated.cutoffs) == [late.searches]
    assert IndexedUser(release, replace(late, disliked_before=())).disliked.size < len(disliked)
