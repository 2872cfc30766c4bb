"""Histories: adding interactions, and encoding as model inputs."""

from dataclasses import replace

import numpy as np

from feature_repo.contract import PAD
from feature_repo.histories import History, encode
from tests.feature_repo.planted import START, interaction


def test_extend_orders_by_time_and_id_and_drops_the_oldest() -> None:
    history = History().extend([interaction("ann", "a", 10), interaction("ann", "c", 30)])
    late = interaction("ann", "b", 20)
    assert history.extend([late]).item_ids == ["a", "b", "c"]
    assert history.extend([late], max_history=2).item_ids == ["b", "c"]
    tied = [interaction("ann", "y", 40, id="2"), interaction("ann", "x", 40, id="1")]
    assert history.extend(tied).item_ids == ["a", "c", "x", "y"]


def test_extend_skips_duplicates() -> None:
    first = interaction("ann", "a", 10)
    history = History().extend([first])
    assert history.extend([first]) is history
    new = interaction("ann", "b", 20)
    assert history.extend([new, first, new]).item_ids == ["a", "b"]


def test_extend_skips_impressions() -> None:
    history = History().extend([interaction("ann", "a", 10)])
    shown = replace(interaction("ann", "b", 20), event_type="impression")
    assert history.extend([shown]) is history
    assert history.extend([shown, interaction("ann", "c", 30)]).item_ids == ["a", "c"]


def test_encode_starts_each_row_with_padding_and_pads_right() -> None:
    history = History().extend([interaction("ann", "a", 10, value=2.5), interaction("ann", "b", 20)])
    inputs = encode([history, History()])
    assert inputs["item_ids"].tolist() == [[PAD, "a", "b"], [PAD, PAD, PAD]]
    assert inputs["event_types"].tolist() == [[PAD, "view", "view"], [PAD, PAD, PAD]]
    assert inputs["timestamps"].tolist() == [[0, START + 10, START + 20], [0, 0, 0]]
    np.testing.assert_array_equal(inputs["values"], np.array([[np.nan, 2.5, 1.0], [np.nan] * 3], np.float32))
    assert {name: str(values.dtype) for name, values in inputs.items()} == {
        "item_ids": "object",
        "event_types": "object",
        "values": "float32",
        "timestamps": "int64",
    }


def test_extend_appends_lazily_when_all_interactions_are_later() -> None:
    history = History().extend(interaction("ann", f"{at}", at) for at in range(5))
    longer = history.extend([interaction("ann", "new", 9), interaction("ann", "newer", 10)], max_history=4)
    assert (len(longer), longer.item_ids) == (4, ["3", "4", "new", "newer"])
    assert (longer.item_ids[-1], longer.item_ids[0], longer.item_ids[1:3]) == ("newer", "3", ["4", "new"])
    assert longer == History(*(list(getattr(longer, name)) for name in History.__slots__))
    newest = longer.extend([interaction("ann", "newest", 11)], max_history=2)
    assert list(newest.item_ids) == ["newer", "newest"]
    assert history.extend([], 3) is history
