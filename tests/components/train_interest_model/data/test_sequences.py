"""Sequences and vocabulary: codes computed by hand, batches, and growth to a later catalog."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from components.errors import StepError
from components.row_preferences import flatten, preferences_by_user
from components.train_interest_model.data.sequences import (
    START,
    Batch,
    Sequences,
    encode,
    flat_attributes,
    read_rows,
)
from components.train_interest_model.data.vocabulary import SKIPPED, Vocabulary, encode_gaps
from feature_repo.event_types import Kind
from feature_repo.feedback import FeedbackPolicy
from feature_repo.table_schemas import TRAINING_SET
from tests.components.train_interest_model.conftest import (
    SECOND,
    World,
    history_row,
)

VOCABULARY = Vocabulary(["a", "b", "c"], ["click", "view"], [0.0, 1.0, 2.0])


def encode_targets(rows: pa.Table, vocabulary: Vocabulary, feedback: FeedbackPolicy) -> Sequences:
    return encode(rows, vocabulary, preferences_by_user(rows, feedback))


def test_encode_maps_a_row_to_codes_and_the_first_gap_to_unknown() -> None:
    rows = pa.Table.from_pylist([history_row("u", "validation", ["b", "a"], "c")], schema=TRAINING_SET)
    encoded = encode(rows, VOCABULARY)
    assert encoded.items.tolist() == [1, 0]
    assert encoded.events.tolist() == [2, 1]
    assert encoded.values.tolist() == [2, 3]  # 0 has one edge at or below it, 1 has two
    assert encoded.gaps.tolist() == [0, 7]  # a minute passes the edges 1, 2, 4, …, 32 s
    assert encoded.targets.tolist() == [2]


def test_unknown_items_are_dropped_and_gaps_span_them() -> None:
    rows = pa.Table.from_pylist(
        [history_row("u", "train", ["zz", "a", "zz", "b"]), history_row("v", "train", ["zz"])],
        schema=TRAINING_SET,
    )
    encoded = encode(rows, VOCABULARY)
    assert encoded.lengths.tolist() == [2, 0]
    assert encoded.items.tolist() == [0, 1]
    assert encoded.gaps.tolist() == [0, 8]  # two minutes


def test_a_gap_bucket_starts_at_its_power_of_two() -> None:
    times = np.array([1, SECOND - 1, SECOND, 2 * SECOND - 1, 2 * SECOND]) + 5
    assert encode_gaps(times, np.full(5, 5)).tolist() == [1, 1, 2, 2, 3]
    assert encode_gaps(times, np.zeros(5, np.int64)).tolist() == [0] * 5


def padded(encoded: Sequences, positions: int, seed: int) -> list[Batch]:
    """Return the batches of an epoch."""
    return [encoded.pad(rows, width) for rows, width in encoded.batch_rows(positions, seed)]


def test_an_epoch_has_every_interaction_once_right_padded() -> None:
    random = np.random.default_rng(0)
    rows = [
        history_row(f"u{user}", "train", random.choice(["a", "b", "c"], random.integers(1, 90)).tolist())
        for user in range(50)
    ]
    encoded = encode_targets(pa.Table.from_pylist(rows, schema=TRAINING_SET), VOCABULARY, FeedbackPolicy())
    batches = padded(encoded, positions=300, seed=3)
    lengths = np.concatenate([batch["lengths"] for batch in batches])
    assert sorted(lengths) == sorted(encoded.lengths)
    for batch in batches:
        places = np.arange(batch["items"].shape[1])
        padding = places >= batch["lengths"][:, None]
        assert (batch["items"][padding] == 0).all()
        assert (batch["target_weights"] == np.where(padding, 0, 1)).all()
        assert batch["items"].size <= 300
    again = padded(encoded, positions=300, seed=3)
    assert all((one["items"] == other["items"]).all() for one, other in zip(batches, again, strict=True))
    assert len(batches) == encoded.count_batches(positions=300, seed=3)


def test_an_epoch_has_the_chosen_windows_and_as_many_others_drawn_anew() -> None:
    lengths = [20] * 500
    rows = [history_row(f"u{user}", "train", ["a"] * length) for user, length in enumerate(lengths)]
    encoded = encode_targets(pa.Table.from_pylist(rows, schema=TRAINING_SET), VOCABULARY, FeedbackPolicy())
    chosen = np.arange(500) % 5 == 0

    def epoch(always: NDArray[np.bool_], positions: int, seed: int) -> list[int]:
        batches = replace(encoded, in_every_epoch=always).batch_rows(positions, seed)
        return sorted(row for rows, _ in batches for row in rows.tolist())

    first, second = (epoch(chosen, 40, seed) for seed in (3, 4))
    for read in (first, second):
        assert len(read) == len(set(read)) == 200
        assert set(np.flatnonzero(chosen)) <= set(read)
    assert first != second
    # Few batches would teach nothing: a part of the rows gives 32, if there are.
    assert len(epoch(chosen, 160, 3)) == 32 * 8
    assert len(epoch(np.zeros(500, bool), 160, 3)) == 32 * 8
    assert len(epoch(chosen, 1_000_000, 3)) == 500


def test_a_part_of_an_epoch_with_windows_of_different_lengths_has_enough_batches() -> None:
    lengths = [*[3] * 200, *[20, 60, 150] * 300]
    rows = [history_row(f"u{user}", "train", ["a"] * length) for user, length in enumerate(lengths)]
    encoded = encode_targets(pa.Table.from_pylist(rows, schema=TRAINING_SET), VOCABULARY, FeedbackPolicy())
    part = replace(encoded, in_every_epoch=np.arange(len(rows)) < 200)
    batches = [rows for rows, _ in part.batch_rows(1_280, seed=3)]
    assert 32 <= len(batches) == part.count_batches(1_280, seed=3) < encoded.count_batches(1_280, seed=3)
    assert part.rows_per_batch(1_280, seed=3) == sum(map(len, batches)) / len(batches)


def test_an_item_that_was_seen_is_no_target() -> None:
    rows = [history_row("u", "train", ["a", "b", "a", "c"]), history_row("v", "train", ["a", "c", "c"])]
    rows[0]["timestamps"][2] = rows[0]["timestamps"][1]  # b and a are of one step
    rows[1]["timestamps"][2] = rows[1]["timestamps"][1]  # c was not seen before the step of both
    encoded = encode_targets(pa.Table.from_pylist(rows, schema=TRAINING_SET), VOCABULARY, FeedbackPolicy())
    assert encoded.target_weights.tolist() == [1] * 7
    assert encoded.without_seen_targets().target_weights.tolist() == [1, 1, 0, 1, 1, 1, 1]


def test_little_of_a_batch_of_short_windows_is_padding() -> None:
    random = np.random.default_rng(0)
    lengths = random.geometric(0.3, 500)
    rows = [history_row(f"u{user}", "train", ["a"] * length) for user, length in enumerate([90, *lengths])]
    encoded = encode_targets(pa.Table.from_pylist(rows, schema=TRAINING_SET), VOCABULARY, FeedbackPolicy())
    batches = padded(encoded, positions=200, seed=3)
    assert sum(batch["items"].size for batch in batches) < 1.2 * len(encoded.items)
    assert len(batches) < 1.5 * len(encoded.items) / 200


def test_grow_keeps_the_codes() -> None:
    grown = VOCABULARY.grow(Vocabulary(["c", "d"], ["buy", "view"], [7.0]))
    assert grown.item_ids == ["c", "d"]
    assert grown.event_types == ["click", "view", "buy"]
    assert grown.value_edges == [0.0, 1.0, 2.0]


def test_many_values_are_split_at_quantiles() -> None:
    values = np.arange(1000, dtype=np.float32)
    vocabulary = Vocabulary.build(["a"], pa.array(["view"]), values, FeedbackPolicy())
    counts = np.bincount(vocabulary.encode_values(values))
    assert counts[counts > 0].tolist() == pytest.approx([62.5] * 16, abs=1)


def test_missing_values_and_unknown_event_types_are_unknown() -> None:
    row = history_row("u", "train", ["a", "b", "c"])
    row["values"], row["event_types"] = [None, float("nan"), 9.0], ["buy", "", "click"]
    encoded = encode(pa.Table.from_pylist([row], schema=TRAINING_SET), VOCABULARY)
    assert encoded.values.tolist() == [0, 0, 4]
    assert encoded.events.tolist() == [0, 0, 1]


def people() -> pa.Table:
    """Return rows of twenty users aged 20 to 39, half of them from Oslo, and one with a unique hair color."""
    rows = [
        history_row(f"u{n}", "train", ["a"], age=20 + n, city="Oslo" if n % 2 else "Rome") for n in range(20)
    ]
    rows.append(history_row("v", "train", ["a"], hair="blue"))
    return pa.Table.from_pylist(rows, schema=TRAINING_SET)


def test_frequent_attributes_have_codes_and_numbers_have_buckets() -> None:
    vocabulary = VOCABULARY.with_attributes(*flat_attributes(people())[1:])
    assert vocabulary.attributes == ["city=Oslo", "city=Rome", *[f"age<{bucket}" for bucket in range(8)]]
    codes = encode(people(), vocabulary).attributes
    assert codes[:2].tolist() == [[3, 2], [3, 1]]  # 20 and 21 are among the youngest eighth
    assert codes[19].tolist() == [10, 1]
    assert codes[20].tolist() == [0, 0]  # blue hair would name a user
    counts = np.bincount(codes[:20, 0], minlength=11)[3:]
    assert counts.tolist() == pytest.approx([2.5] * 8, abs=0.5)


def test_grow_keeps_the_codes_of_attributes() -> None:
    vocabulary = VOCABULARY.with_attributes(*flat_attributes(people())[1:])
    other = Vocabulary(
        ["c"], [], [], ["city=Bonn", "city=Rome", "age<0", "age<1", "pay<0"], {"age": [90.0], "pay": []}
    )
    grown = vocabulary.grow(other)
    assert grown.attributes == [*vocabulary.attributes, "city=Bonn", "pay<0"]
    assert grown.attribute_edges == {**vocabulary.attribute_edges, "pay": []}
    codes = grown.encode_attributes(pa.array(["pay", "city=Bonn"]), np.array([5, np.nan], np.float32))
    assert codes.tolist() == [12, 11]


def test_an_older_training_set_has_no_attributes(cycle: World, tmp_path: Path) -> None:
    rows = pq.read_table(cycle.training_set).drop_columns(["attributes", "attribute_values"])
    pq.write_table(rows, tmp_path / "rows.parquet")
    assert encode(read_rows(tmp_path / "rows.parquet", "train"), VOCABULARY).attributes.shape == (160, 0)


def test_positions_count_items_of_the_vocabulary_from_the_start_of_the_window() -> None:
    row = history_row("u", "train", ["a", "zz", "b", "a", "a", "c"])
    encoded = encode(pa.Table.from_pylist([row, row], schema=TRAINING_SET), VOCABULARY)
    assert encoded.positions.tolist() == [0, 1, 2, 2, 3] * 2


def test_a_missing_column_raises_with_its_name(cycle: World, tmp_path: Path) -> None:
    assert len(flatten(read_rows(cycle.training_set, "train")["item_ids"])) == 160 * 12
    rows = pq.read_table(cycle.training_set).drop_columns(["target_item_id", "timestamps"])
    pq.write_table(rows, tmp_path / "rows.parquet")
    with pytest.raises(StepError, match="has no column target_item_id, timestamps"):
        read_rows(tmp_path / "rows.parquet", "train")


def test_an_interaction_is_predicted_from_the_end_of_the_step_before() -> None:
    row = history_row("u", "train", ["a", "b", "zz", "c", "a", "b"])
    row["timestamps"] = [5, 5, 5, 7, 7, 8]  # the unknown item belongs to the first step
    rows = pa.Table.from_pylist([row, history_row("v", "train", ["a", "b"])], schema=TRAINING_SET)
    encoded = encode(rows, VOCABULARY)
    assert encoded.predicted_from.tolist() == [START, START, 1, 1, 3, START, 0]


def test_a_row_that_begins_at_the_time_of_the_row_before_begins_a_step() -> None:
    rows = [history_row(user, "train", ["a", "b"]) for user in "uv"]
    for row in rows:
        row["timestamps"] = [5, 5]
    encoded = encode(pa.Table.from_pylist(rows, schema=TRAINING_SET), VOCABULARY)
    assert encoded.predicted_from.tolist() == [START] * 4


def test_positive_interactions_are_targets_with_their_weight() -> None:
    row = history_row("u", "train", ["a", "b", "c", "a"])
    row["event_types"] = ["view", "dislike", "purchase", "pause"]
    policy = FeedbackPolicy(weights={"purchase": 3.0})
    vocabulary = Vocabulary(["a", "b", "c"], ["dislike", "pause", "purchase", "view"], [])
    encoded = encode_targets(pa.Table.from_pylist([row], schema=TRAINING_SET), vocabulary, policy)
    assert encoded.target_weights.tolist() == [1, 0, 3, 0]
    assert encoded.target_items.tolist() == [0, 2]
    assert encoded.items.tolist() == [0, 1, 2, 0]
    assert encode(pa.Table.from_pylist([row], schema=TRAINING_SET), vocabulary).target_items.tolist() == []


def test_a_dislike_in_a_later_window_makes_earlier_interactions_no_targets() -> None:
    first, second = (history_row("u", "train", ["a", "b"]) for _ in range(2))
    second["cutoff"] += 1_000 * SECOND
    second["timestamps"] = [time + 1_000 * SECOND for time in second["timestamps"]]
    second["event_types"] = ["dislike", "view"]
    vocabulary = Vocabulary(["a", "b"], ["click", "dislike", "view"], [])
    rows = pa.Table.from_pylist([first, second, history_row("v", "train", ["a"])], schema=TRAINING_SET)
    assert encode_targets(rows, vocabulary, FeedbackPolicy()).target_weights.tolist() == [0, 1, 0, 1, 1]


def test_rows_without_a_target_are_in_no_batch() -> None:
    disliked, liked = history_row("u", "train", ["a", "b"]), history_row("v", "train", ["c"])
    disliked["event_types"] = ["dislike", "dislike"]
    vocabulary = Vocabulary(["a", "b", "c"], ["dislike", "view"], [])
    rows = pa.Table.from_pylist([disliked, liked], schema=TRAINING_SET)
    (batch,) = padded(encode_targets(rows, vocabulary, FeedbackPolicy()), positions=4, seed=0)
    assert batch["items"].tolist() == [[2]]


def test_the_model_reads_positive_event_types() -> None:
    events = pa.array(["view"] * 5 + ["dislike"] * 9 + ["oops"])
    policy = FeedbackPolicy(kinds={"enrol": Kind.POSITIVE, "click": Kind.NEGATIVE})
    vocabulary = Vocabulary.build(["a"], events, np.empty(0, np.float32), policy)
    assert vocabulary.event_types == ["view"]
    asked = pa.array(["view", "dislike", "enrol", "like", "skip", "click", "oops", "never heard of"])
    assert vocabulary.encode_events(asked).tolist() == [1, SKIPPED, 0, 0, *[SKIPPED] * 4]
    everything = Vocabulary.build(["a"], events, np.empty(0, np.float32), FeedbackPolicy(all_positive=True))
    assert (everything.encode_events(asked) >= 0).all()


def test_the_model_skips_values_that_are_mostly_not_positive() -> None:
    events = np.array([1, 1, 1, 1, 1, 2, 2, 0], np.int32)
    values = np.array([1, 1, 2, 3, 3, 1, 0, 1], np.int32)
    signs = np.array([-1, 1, 0, 1, 1, 1, 1, -1], np.float32)
    vocabulary = VOCABULARY.skipping(events, values, signs)
    assert vocabulary.skipped == [[1, 2]]  # clicks of value 0; code 0, an untrained event type, is read
    assert vocabulary.skipping(events, values, -signs).skipped == [[1, 2], [1, 3], [2, 0], [2, 1]]
    row = history_row("u", "train", ["a", "b", "c"])
    row["event_types"], row["values"] = ["click", "view", "click"], [0.0, 0.0, 1.0]
    encoded = encode(pa.Table.from_pylist([row], schema=TRAINING_SET), vocabulary)
    assert encoded.items.tolist() == [1, 2]
