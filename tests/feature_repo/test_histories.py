"""How interactions join a history, and how histories become the model's inputs."""

from dataclasses import replace

import numpy as np

from feature_repo.contract import PAD
from feature_repo.histories import History, encode
from tests.feature_repo.planted import START, interaction


def test_interactions_join_in_time_and_id_order_and_the_oldest_fall_out() -> None:
    history = History().extend([interaction("ann", "a", 10), interaction("ann", "c", 30)])
    late = interaction("ann", "b", 20)
    assert history.extend([late]).item_ids == ["a", "b", "c"]
    assert history.extend([late], max_history=2).item_ids == ["b", "c"]
    tied = [interaction("ann", "y", 40, id="2"), interaction("ann", "x", 40, id="1")]
    assert history.extend(tied).item_ids == ["a", "c", "x", "y"]


def test_what_is_known_already_or_comes_twice_is_taken_once() -> None:
    known = interaction("ann", "a", 10)
    history = History().extend([known])
    assert history.extend([known]) is history
    new = interaction("ann", "b", 20)
    assert history.extend([new, known, new]).item_ids == ["a", "b"]


def test_what_somebody_was_shown_joins_no_history() -> None:
    history = History().extend([interaction("ann", "a", 10)])
    shown = replace(interaction("ann", "b", 20), event_type="impression")
    assert history.extend([shown]) is history
    assert history.extend([shown, interaction("ann", "c", 30)]).item_ids == ["a", "c"]


def test_encoding_puts_a_pad_first_and_fills_up_on_the_right() -> None:
    history = History().extend([interaction("ann", "a", 10, value=2.5), interaction("ann", "b", 20)])
    inputs = encode([history, History()])
    assert inputs["item_ids"].tolist() == [[PAD, "a", "b"], [PAD, PAD, PAD]]
    assert inputs["event_types"].tolist() == [[PAD, "view", "view"], [PAD, PAD, PAD]]
    assert inputs["timestamps"].tolist() == [[0, START + 10, START + 20], [0, 0, 0]]
    np.testing.assert_array_equal(inputs["values"], np.float32([[np.nan, 2.5, 1.0], [np.nan] * 3]))
    assert {name: str(values.dtype) for name, values in inputs.items()} == {
        "item_ids": "object",
        "event_types": "object",
        "values": "float32",
        "timestamps": "int64",
    }


def test_what_comes_after_all_is_put_behind_it_whenever_somebody_looks() -> None:
    history = History().extend(interaction("ann", f"{at}", at) for at in range(5))
    longer = history.extend([interaction("ann", "new", 9), interaction("ann", "newer", 10)], max_history=4)
    assert (len(longer), longer.item_ids) == (4, ["3", "4", "new", "newer"])
    assert (longer.item_ids[-1], longer.item_ids[0], longer.item_ids[1:3]) == ("newer", "3", ["4", "new"])
    assert longer == History(*(list(getattr(longer, name)) for name in History.__slots__))
    newest = longer.extend([interaction("ann", "newest", 11)], max_history=2)
    assert list(newest.item_ids) == ["newer", "newest"]
    assert history.extend([], 3) is history
