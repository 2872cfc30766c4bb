"""The offline and the online path turn the same interactions into the same histories.

Offline: build_features over all interactions, then Feast's point-in-time join, as for a query.
Online: an earlier snapshot, materialized and read from the online store, then extended with the interactions
recorded since, as for a request.
"""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.fetch_training_set.training_set import fetch
from components.materialize_features.materialization import materialize
from feature_repo.contract import HISTORY_LISTS, MAX_HISTORY
from feature_repo.histories import History, encode
from feature_repo.interaction import Interaction
from feature_repo.table_schemas import SPINE
from serving.online_store.online_features import OnlineFeatures
from serving.user_data.history_reader import HistoryReader
from serving.user_data.interaction_log import InteractionLog
from tests.compute import compute, examples
from tests.feature_repo.planted import START, build_warehouse, interaction

SNAPSHOT, NOW = START + 500, START + 1_000

# One user with enough interactions for a spine, so that each random user may have any number of them.
STEADY = [interaction("steady", f"i{at}", at) for at in (1, 2, 3, 4)]


def offline(directory: Path, interactions: list[Interaction]) -> dict[str, History]:
    """Return user -> the history of a query at NOW."""
    warehouse = build_warehouse(directory, interactions, NOW)
    users = sorted({row.user_id for row in interactions})
    queries = {"user_id": users, "cutoff": [NOW] * len(users), "split": ["test"] * len(users)}
    targets = {"target_item_id": ["any"] * len(users)}
    spine, file = directory / "queries.parquet", directory / "training_set.parquet"
    pq.write_table(pa.table(queries | targets).cast(SPINE), spine)
    fetch(spine, warehouse.addresses, file, compute())
    rows = pq.read_table(file).to_pylist()
    return {row["user_id"]: History(**{name: row[name] for name in HISTORY_LISTS}) for row in rows}


def online(directory: Path, interactions: list[Interaction], users: set[str]) -> dict[str, History]:
    """Return user -> the history of a request at NOW."""
    before = [row for row in interactions if row.timestamp < SNAPSHOT]
    warehouse = build_warehouse(directory, before, SNAPSHOT)
    materialize(warehouse.addresses, SNAPSHOT)
    store = OnlineFeatures(warehouse.addresses)
    histories = {}
    for user in users:
        snapshot = store.user(user)
        base = snapshot.history if snapshot else History()
        # The log is read with an overlap, so that it returns some interactions of the snapshot again.
        since = [row for row in interactions if row.user_id == user and row.timestamp >= SNAPSHOT - 100]
        histories[user] = base.extend(since)
    return histories


def assert_equal(left: History, right: History) -> None:
    for name, values in encode([left]).items():
        np.testing.assert_array_equal(values, encode([right])[name])
    assert left.interaction_ids == right.interaction_ids


@st.composite
def interaction_logs(draw: st.DrawFn) -> list[Interaction]:
    """Draw users with 0 to over 2 * MAX_HISTORY interactions at few timestamps, so that ties are common."""
    log = list(STEADY)
    for user in ("ann", "bob", "cleo", "dan"):
        moments = draw(st.lists(st.integers(0, 999), min_size=1, max_size=8))
        counts = [draw(st.integers(0, MAX_HISTORY // 2)) for _ in moments]
        for at, count in zip(moments, counts, strict=True):
            order = draw(st.permutations(range(min(count, 6))))
            ids = [f"{user}-{at:03}-{number}" for number in [*order, *range(6, count)]]
            values = (float("nan") if n % 3 == 0 else n / 7 for n in range(count))
            log += [
                interaction(user, f"item{n % 50}", at, id=id, value=value)
                for n, (id, value) in enumerate(zip(ids, values, strict=True))
            ]
    return list({row.interaction_id: row for row in log}.values())


@settings(max_examples=examples(6), deadline=None, suppress_health_check=list(HealthCheck))
@given(interaction_logs())
def test_any_log_gives_equal_histories_on_both_paths(log: list[Interaction]) -> None:
    with TemporaryDirectory() as directory:
        trained_on = offline(Path(directory, "offline"), log)
        users = {row.user_id for row in log}
        assert set(trained_on) == users
        served = online(Path(directory, "online"), log, users)
        for user in users:
            assert_equal(trained_on[user], served[user])


def test_a_long_history_that_continues_after_the_snapshot_is_equal_on_both_paths(tmp_path: Path) -> None:
    log = STEADY + [interaction("ann", f"i{at % 90}", at) for at in range(1, 999, 2)]
    assert len(log) - len(STEADY) > 2 * MAX_HISTORY
    trained_on = offline(tmp_path / "offline", log)["ann"]
    served = online(tmp_path / "online", log, {"ann"})["ann"]
    assert len(trained_on) == MAX_HISTORY
    assert trained_on.timestamps[-1] == START + 997
    assert_equal(trained_on, served)


def test_a_user_who_is_new_after_the_snapshot_is_equal_on_both_paths(tmp_path: Path) -> None:
    log = [*STEADY, interaction("new", "first", 700), interaction("new", "second", 700, id="before")]
    trained_on = offline(tmp_path / "offline", log)["new"]
    assert trained_on.item_ids == ["second", "first"]
    assert_equal(trained_on, online(tmp_path / "online", log, {"new"})["new"])


def test_every_item_that_a_user_ever_chose_is_in_the_history_or_was_seen_before(tmp_path: Path) -> None:
    log = STEADY + [interaction("ann", f"i{at}", at) for at in range(2, 998, 3)]
    warehouse = build_warehouse(tmp_path, [row for row in log if row.timestamp < SNAPSHOT], SNAPSHOT)
    materialize(warehouse.addresses, SNAPSHOT)
    recorded = InteractionLog(f"sqlite:///{tmp_path}/log.db")
    recorded.record([row for row in log if row.timestamp >= SNAPSHOT - 100])
    reader = HistoryReader(lambda: OnlineFeatures(warehouse.addresses), recorded)
    ann = asyncio.run(reader.read("ann", 10))
    assert ann.degraded == ()
    assert len(ann.history) == MAX_HISTORY
    assert ann.whole is not None
    assert {*ann.whole.item_ids, *ann.seen_before} == {row.item_id for row in log if row.user_id == "ann"}
    assert asyncio.run(reader.read(STEADY[0].user_id, 10)).seen_before == ()
    reader.close()
