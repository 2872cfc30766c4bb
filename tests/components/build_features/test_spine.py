"""Both protocols with expected rows computed by hand, and windows that contain each interaction once."""

from collections import Counter

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.build_features import spine
from components.build_features.spine import build_spine
from components.errors import StepError
from feature_repo.interaction import Interaction
from tests.feature_repo.planted import START, history_before, interaction, interactions_table

AS_OF = 1_000

Row = tuple[str, int, str | None]


def rows(interactions: list[Interaction], protocol: str, max_history: int = 200) -> dict[str, list[Row]]:
    """Return split -> its sorted (user, cutoff after START, target)."""
    log = ibis.memtable(interactions_table(interactions))
    table = build_spine(log, START + AS_OF, protocol, max_history).to_pyarrow()
    cutoffs = table["cutoff"].cast(pa.int64()).to_pylist()
    splits: dict[str, list[Row]] = {split: [] for split in ("train", "validation", "test", "all")}
    for row, cutoff in zip(table.to_pylist(), cutoffs, strict=True):
        splits[row["split"]].append((row["user_id"], cutoff - START, row["target_item_id"]))
    return {split: sorted(entries, key=str) for split, entries in splits.items()}


def interactions_at(user: str, times: list[int]) -> list[Interaction]:
    return [interaction(user, f"i{at}", at) for at in times]


def test_leave_one_out_holds_out_the_last_two_interactions() -> None:
    planted = (
        interactions_at("ann", [10, 20, 30, 40])
        + interactions_at("bob", [15, 25, 35])
        + interactions_at("cleo", [5, 50])
    )
    assert rows(planted, "leave-one-out") == {
        "train": [("ann", 30, None), ("bob", 25, None), ("cleo", AS_OF, None)],
        "validation": [("ann", 30, "i30"), ("bob", 25, "i25")],
        "test": [("ann", 40, "i40"), ("bob", 35, "i35")],
        "all": [("ann", AS_OF, None), ("bob", AS_OF, None), ("cleo", AS_OF, None)],
    }


def test_time_splits_all_users_at_the_same_two_moments() -> None:
    # Eleven moments 0, 10, …, 100: the 80 % quantile is 80, the 90 % quantile 90.
    planted = interactions_at("ann", [0, 20, 40, 60, 80, 100]) + interactions_at("bob", [10, 30, 50, 70, 90])
    assert rows(planted, "time") == {
        "train": [("ann", 80, None), ("bob", 80, None)],
        "validation": [("ann", 80, "i80")],
        "test": [("ann", 100, "i100"), ("bob", 90, "i90")],
        "all": [("ann", AS_OF, None), ("bob", AS_OF, None)],
    }


def test_time_limits_the_queries_of_each_user_in_each_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spine, "QUERIES_PER_USER", 2)
    splits = rows(interactions_at("ann", list(range(101))), "time")
    assert [cutoff for _, cutoff, _ in splits["validation"]] == [80, 81]
    assert [cutoff for _, cutoff, _ in splits["test"]] == [90, 91]


def test_time_samples_users_by_their_ids(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spine, "MAX_QUERY_USERS", 5)
    users = [f"u{n}" for n in range(20)]
    planted = [row for n, user in enumerate(users) for row in interactions_at(user, [n, 90 + n])]
    splits = rows(planted, "time")
    queried = {user for split in ("validation", "test") for user, _, _ in splits[split]}
    assert 1 <= len(queried) <= 5
    assert splits == rows(list(reversed(planted)), "time")
    assert {user for user, _, _ in splits["all"]} == set(users)


def test_an_older_window_ends_where_the_next_newer_one_begins() -> None:
    # Five interactions are before 60, the validation target: windows of two end at 60, 40 and 20.
    splits = rows(interactions_at("ann", [10, 20, 30, 40, 50, 60, 70]), "leave-one-out", max_history=2)
    assert splits["train"] == [("ann", 20, None), ("ann", 40, None), ("ann", 60, None)]
    assert splits["all"] == [("ann", AS_OF, None), ("ann", 20, None), ("ann", 40, None), ("ann", 60, None)]


@settings(max_examples=20, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["ann", "bob", "cleo"]), st.sets(st.integers(0, 99), min_size=1), min_size=1
    ),
    st.integers(2, 5),
    st.sampled_from(sorted(spine.PROTOCOLS)),
)
def test_windows_contain_each_training_interaction_once_and_no_held_out_one(
    times: dict[str, set[int]], max_history: int, protocol: str
) -> None:
    planted = [row for user, at in times.items() for row in interactions_at(user, sorted(at))]
    splits = rows(planted, protocol, max_history)
    for split in ("train", "all"):
        newest: dict[str, int] = {}
        contained: Counter[str] = Counter()
        for user, cutoff, _ in splits[split]:
            newest[user] = max(cutoff, newest.get(user, 0))
            contained.update(history_before(planted, user, START + cutoff, max_history).interaction_ids)
        until = {user: START + cutoff for user, cutoff in newest.items()}
        assert contained == Counter(
            row.interaction_id for row in planted if row.timestamp < until.get(row.user_id, 0)
        )
        if split == "all":
            assert contained.total() == len(planted)
        else:
            queries = splits["validation"] + splits["test"]
            assert all(cutoff >= newest.get(user, 0) for user, cutoff, _ in queries)


def test_an_unknown_protocol_is_rejected_with_the_known_ones() -> None:
    with pytest.raises(StepError, match=r"'random'.*leave-one-out, time"):
        rows(interactions_at("ann", [1, 2, 3]), "random")
