"""The protocols with expected rows computed by hand, and windows that contain each interaction once."""

from collections import Counter
from dataclasses import replace
from random import Random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.build_features import by_time, global_time, spine
from components.build_features.labelled_users import read_labelled_users
from components.build_features.protocols import PROTOCOLS, make_protocol
from components.build_features.spine import build_spine
from components.errors import StepError
from feature_repo.feedback import FeedbackPolicy
from feature_repo.interaction import Interaction
from tests.compute import examples, table
from tests.feature_repo.planted import START, history_before, interaction, interactions_table

AS_OF = 1_000

Row = tuple[str, int, str | None]


def rows(
    interactions: list[Interaction],
    protocol: str,
    max_history: int = 200,
    policy: FeedbackPolicy | None = None,
    before_test: bool = False,
) -> dict[str, list[Row]]:
    """Return split -> its sorted (user, cutoff after START, target)."""
    log = table(interactions_table(interactions))
    labelled = read_labelled_users(log, policy or FeedbackPolicy())
    splitter = make_protocol(protocol, log, START + AS_OF)
    built = build_spine(labelled, splitter, START + AS_OF, max_history, before_test)
    cutoffs = built["cutoff"].cast(pa.int64()).to_pylist()
    splits: dict[str, list[Row]] = {split: [] for split in ("train", "validation", "test", "all")}
    if before_test:
        splits["before_test"] = []
    for row, cutoff in zip(built.to_pylist(), cutoffs, strict=True):
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


@pytest.mark.parametrize(
    ("protocol", "ann", "bob"),
    [("leave-one-out", 100, 91), ("time", 90, 90), ("global-time-last", 91, 91)],
)
def test_before_the_test_are_the_interactions_of_training_and_validation(
    protocol: str, ann: int, bob: int
) -> None:
    planted = interactions_at("ann", list(range(0, 101, 10))) + interactions_at("bob", list(range(1, 92, 10)))
    without, splits = (rows(planted, protocol, before_test=chosen) for chosen in (False, True))
    assert splits.pop("before_test") == [("ann", ann, None), ("bob", bob, None)]
    assert splits == without


def test_time_limits_the_queries_of_each_user_in_each_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_time, "QUERIES_PER_USER", 2)
    splits = rows(interactions_at("ann", list(range(101))), "time")
    assert [cutoff for _, cutoff, _ in splits["validation"]] == [80, 81]
    assert [cutoff for _, cutoff, _ in splits["test"]] == [90, 91]


def test_global_time_tests_the_last_interaction_after_the_test_moment() -> None:
    # Of 101 moments 0, …, 100, the 81 % quantile is 81, and the 90 % quantile 90.
    splits = rows(interactions_at("ann", list(range(101))), "global-time-last")
    assert splits["train"] == [("ann", 82, None)]
    assert [cutoff for _, cutoff, _ in splits["validation"]] == list(range(82, 91))
    assert splits["test"] == [("ann", 100, "i100")]


def test_global_time_tests_each_interaction_that_has_a_history(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(global_time, "VALIDATIONS_PER_USER", 3)
    planted = [*interactions_at("ann", list(range(101))), interaction("bob", "i95", 95)]
    splits = rows([*planted, interaction("bob", "i99", 99)], "global-time-successive")
    assert [cutoff for _, cutoff, _ in splits["validation"]] == [83, 86, 89]
    assert [cutoff for user, cutoff, _ in splits["test"] if user == "ann"] == [100, *range(92, 100)]
    assert [cutoff for user, cutoff, _ in splits["test"] if user == "bob"] == [99]


def test_successive_queries_are_sampled_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spine, "MAX_QUERIES", 4)
    planted = interactions_at("ann", list(range(101)))
    splits = rows(planted, "global-time-successive")
    assert (len(splits["validation"]), len(splits["test"])) == (4, 4)
    assert splits == rows(list(reversed(planted)), "global-time-successive")


def test_time_samples_users_by_their_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spine, "MAX_QUERIES", 5)
    users = [f"u{n}" for n in range(20)]
    moments = range(0, 200, 20)  # the last two moments of each user are after the 80 % and the 90 % quantile
    planted = [
        row for n, user in enumerate(users) for row in interactions_at(user, [n + at for at in moments])
    ]
    splits = rows(planted, "time")
    queried = [{user for user, _, _ in splits[split]} for split in ("validation", "test")]
    assert queried[0] == queried[1]
    assert 4 <= len(queried[0]) <= len(splits["test"]) <= 5
    assert splits == rows(list(reversed(planted)), "time")
    assert {user for user, _, _ in splits["all"]} == set(users)


def test_leave_one_out_tests_every_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spine, "MAX_QUERIES", 5)
    planted = [row for n in range(20) for row in interactions_at(f"u{n}", [n, 30 + n, 90 + n])]
    assert len(rows(planted, "leave-one-out")["test"]) == 20


def test_an_older_window_ends_where_the_next_newer_one_begins() -> None:
    # Five interactions are before 60, the validation target: windows of two end at 60, 40 and 20.
    splits = rows(interactions_at("ann", [10, 20, 30, 40, 50, 60, 70]), "leave-one-out", max_history=2)
    assert splits["train"] == [("ann", 20, None), ("ann", 40, None), ("ann", 60, None)]
    assert splits["all"] == [("ann", AS_OF, None), ("ann", 20, None), ("ann", 40, None), ("ann", 60, None)]


@settings(max_examples=examples(20), deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["ann", "bob", "cleo"]), st.lists(st.integers(0, 30), min_size=3), min_size=1
    ),
    st.integers(2, 5),
    st.sampled_from(PROTOCOLS),
    st.randoms(use_true_random=False),
)
def test_windows_contain_each_training_interaction_once_and_no_held_out_one(
    times: dict[str, list[int]], max_history: int, protocol: str, random: Random
) -> None:
    planted = [
        interaction(user, f"i{number}", at, id=f"{user}-{number}")
        for user, own in times.items()
        for number, at in enumerate([-2, -1, *own])
    ]
    splits = rows(planted, protocol, max_history)
    random.shuffle(planted)
    assert rows(planted, protocol, max_history) == splits
    steps = Counter((row.user_id, row.timestamp) for row in planted)
    for split in ("train", "all"):
        contained, since = Counter[str](), dict[str, int]()
        for user, cutoff, _ in sorted(splits[split], key=lambda row: row[:2]):
            history = history_before(planted, user, START + cutoff, max_history)
            pairs = zip(history.interaction_ids, history.timestamps, strict=True)
            contained.update(id for id, at in pairs if at >= since.get(user, 0))
            since[user] = START + cutoff
        expected = [row for row in planted if row.timestamp < since.get(row.user_id, 0)]
        large = [row for row in expected if steps[row.user_id, row.timestamp] > max_history]
        assert contained.total() == len(expected) - len(large) + max_history * len(
            {(row.user_id, row.timestamp) for row in large}
        )
        assert set(contained) <= {row.interaction_id for row in expected}
        assert set(contained.values()) <= {1}
        if split == "all":
            assert len(expected) == len(planted)
        else:
            queries = splits["validation"] + splits["test"]
            assert all(START + cutoff >= since.get(user, 0) for user, cutoff, _ in queries)


def test_the_queries_of_a_step_share_its_time_and_the_same_item_is_one_query() -> None:
    planted = interactions_at("ann", [10, 20, 30, 40, 50, 60, 70, 80])
    planted += [interaction("ann", item, 90, id=str(n)) for n, item in enumerate("abb")]
    assert rows(planted, "time")["test"] == [("ann", 90, "a"), ("ann", 90, "b")]


def test_leave_one_out_holds_out_the_last_of_a_step_and_validates_on_the_step_before() -> None:
    planted = interactions_at("ann", [10])
    planted += [interaction("ann", item, at, id=f"{item}{at}") for at in (20, 30) for item in "cab"]
    splits = rows(planted, "leave-one-out")
    assert splits["train"] == [("ann", 20, None)]
    assert splits["validation"] == [("ann", 20, "c")]
    assert splits["test"] == [("ann", 30, "c")]


def test_only_positive_interactions_are_targets() -> None:
    kinds = {10: "view", 20: "like", 30: "dislike", 40: "like", 50: "pause", 60: "view", 70: "return"}
    planted = [replace(interaction("ann", f"i{at}", at), event_type=kinds[at]) for at in kinds]
    splits = rows([*planted, *interactions_at("bob", [1, 2, 3])], "leave-one-out")
    assert ("ann", 60, "i60") in splits["test"]
    assert ("ann", 40, "i40") in splits["validation"]
    assert ("ann", 40, None) in splits["train"]
    everything = FeedbackPolicy(all_positive=True)
    splits = rows([*planted, *interactions_at("bob", [1, 2, 3])], "leave-one-out", policy=everything)
    assert ("ann", 70, "i70") in splits["test"]
    assert ("ann", 60, "i60") in splits["validation"]


def test_a_purchase_that_was_returned_is_no_target() -> None:
    planted = interactions_at("ann", [10, 20, 30, 40])
    bought = replace(interaction("ann", "coat", 50), event_type="purchase", value=9.0)
    returned = replace(interaction("ann", "coat", 60), event_type="return", value=9.0)
    assert rows([*planted, bought, returned], "leave-one-out")["test"] == [("ann", 40, "i40")]


def test_a_user_without_two_positive_times_is_for_training_only() -> None:
    disliked = [replace(row, event_type="dislike") for row in interactions_at("bob", [10, 20, 30, 40])]
    basket = [interaction("cleo", item, at) for at in (10, 20) for item in "ab"]
    splits = rows([*interactions_at("ann", [1, 2, 3]), *disliked, *basket], "leave-one-out")
    assert splits["train"] == [("ann", 2, None), ("bob", AS_OF, None), ("cleo", AS_OF, None)]
    assert [user for user, _, _ in splits["test"]] == ["ann"]


@pytest.mark.parametrize(
    ("days", "validated", "tested"),
    [((1, 2, 2, 2, 2), 2, None), ((1, 1, 2, 2, 3), 2, 3), ((1, 2, 3, 3, 3, 3, 3), 2, 3), ((1, 2, 3), 2, 3)],
)
def test_times_that_are_dates_are_split_at_three_different_ones(
    days: tuple[int, ...], validated: int, tested: int | None
) -> None:
    planted = [
        interaction(user, f"i{n}", day, id=f"{user}{n}") for user in "ab" for n, day in enumerate(days)
    ]
    if tested is None:
        with pytest.raises(StepError, match="the interactions have 2 different times; protocol time needs"):
            rows(planted, "time")
        return
    splits = rows(planted, "time")
    assert {cutoff for _, cutoff, _ in splits["train"]} == {validated}
    assert {cutoff for _, cutoff, _ in splits["validation"]} == {validated}
    assert {cutoff for _, cutoff, _ in splits["test"]} == {tested}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_data_that_time_does_not_order_is_refused_with_an_example(protocol: str) -> None:
    baskets = [
        interaction(f"u{user:02}", f"i{item}", user, id=f"{user}-{item}")
        for user in range(30)
        for item in range(2 + (user == 7))
    ]
    with pytest.raises(
        StepError,
        match=r"time orders nothing: of 30 users .*, 0 have.*user 'u07' has 3 interactions, all at 2023-",
    ):
        rows(baskets, protocol)


def test_an_unknown_protocol_is_rejected_with_the_known_ones() -> None:
    with pytest.raises(StepError, match=r"'random'.*leave-one-out, time"):
        rows(interactions_at("ann", [1, 2, 3]), "random")
