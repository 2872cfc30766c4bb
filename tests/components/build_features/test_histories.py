"""Histories as of cutoffs, compared with the histories that serving builds."""

import ibis.expr.types as ir
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from components.build_features.histories import build_histories, split_by_user
from components.compute.engine import fetch
from feature_repo.histories import History
from feature_repo.interaction import Interaction
from feature_repo.table_schemas import TIMESTAMP
from tests.compute import examples, table
from tests.feature_repo.planted import START, history_before, interaction, interactions_table


def cutoffs_table(cutoffs: list[tuple[str, int]]) -> ir.Table:
    users, times = [user for user, _ in cutoffs], [START + at for _, at in cutoffs]
    return table(pa.table({"user_id": users, "cutoff": pa.array(times, pa.int64()).cast(TIMESTAMP)}))


def histories(
    interactions: list[Interaction], cutoffs: list[tuple[str, int]], max_history: int
) -> dict[tuple[str, int], History]:
    log = table(interactions_table(interactions))
    rows = fetch(build_histories(log, cutoffs_table(cutoffs), max_history))
    times = rows["cutoff"].cast(pa.int64()).to_pylist()
    lists = rows.drop_columns(["user_id", "cutoff"]).to_pylist()
    keys = zip(rows["user_id"].to_pylist(), times, strict=True)
    return {(user, at - START): History(**row) for (user, at), row in zip(keys, lists, strict=True)}


def test_a_history_has_the_last_interactions_strictly_before_the_cutoff() -> None:
    planted = [interaction("ann", item, at) for item, at in [("a", 1), ("b", 2), ("c", 3), ("d", 4)]]
    actual = histories(planted, [("ann", 4), ("ann", 5), ("ann", 1)], max_history=2)
    assert actual["ann", 4].item_ids == ["b", "c"]
    assert actual["ann", 5].item_ids == ["c", "d"]
    assert actual["ann", 1] == History()


def test_interactions_at_the_cutoff_are_excluded_and_earlier_ties_are_ordered_by_id() -> None:
    planted = [interaction("ann", item, 7, id=id) for item, id in [("a", "2"), ("b", "1"), ("c", "3")]]
    planted.append(interaction("ann", "late", 8))
    actual = histories(planted, [("ann", 7), ("ann", 8)], max_history=5)
    assert actual["ann", 7].item_ids == []
    assert actual["ann", 8].item_ids == ["b", "a", "c"]


def test_a_user_without_interactions_has_an_empty_history() -> None:
    assert histories([interaction("ann", "a", 1)], [("bob", 5)], max_history=5) == {("bob", 5): History()}


def test_a_missing_value_is_nan_and_times_are_exact_to_the_microsecond() -> None:
    planted = [
        interaction("ann", "a", 123_457, value=float("nan")),
        interaction("ann", "b", 123_458, value=2.5),
    ]
    history = histories(planted, [("ann", 200_000)], max_history=5)["ann", 200_000]
    assert str(history.values) == "[nan, 2.5]"
    assert history.timestamps == [START + 123_457, START + 123_458]


times = st.integers(0, 12)
rows = st.tuples(st.sampled_from(["ann", "bob"]), st.sampled_from("abc"), times)


@settings(max_examples=examples(25), deadline=None)
@given(st.lists(rows, min_size=1, max_size=30), st.lists(times, min_size=1, max_size=6, unique=True))
def test_histories_equal_those_that_serving_builds(
    planted_rows: list[tuple[str, str, int]], cutoff_times: list[int]
) -> None:
    planted = [interaction(*row, id=f"{n:02}") for n, row in enumerate(reversed(planted_rows))]
    cutoffs = [(user, at) for user in ("ann", "bob", "cleo") for at in cutoff_times]
    for max_history in (2, 4):
        actual = histories(planted, cutoffs, max_history)
        assert actual == {
            (user, at): history_before(planted, user, START + at, max_history) for user, at in cutoffs
        }


def test_each_user_is_in_one_part_with_all_cutoffs() -> None:
    users = ["ann", "bob", "cleo", "dan", "eve"]
    log = table(interactions_table(interaction(user, "a", 1) for user in users))
    cutoffs = cutoffs_table([(user, at) for user in users for at in range(3)])
    parts = [fetch(part)["user_id"].to_pylist() for _, part in split_by_user(log, cutoffs, size=7)]
    assert [sorted(set(part)) for part in parts] == [["ann", "bob"], ["cleo", "dan"], ["eve"]]
    assert sum(map(len, parts)) == 15
