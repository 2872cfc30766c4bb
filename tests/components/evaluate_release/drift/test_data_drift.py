"""Drift of the data: hand-worked distances, and a profile of planted interactions."""

import math

import numpy as np
import pyarrow as pa
import pytest

from components.evaluate_release.data.snapshot import NEVER, Snapshot
from components.evaluate_release.drift.data_drift import LARGE, MODERATE, drift_of_mixes, js_distance
from components.evaluate_release.drift.data_profile import profile
from feature_repo.table_schemas import TRAINING_SET
from serving.release.catalog import FOREVER, Catalog
from tests.components.evaluate_release.ring_world import row


def test_distances_go_from_0_to_1() -> None:
    assert js_distance(np.array([1.0, 3.0]), np.array([10.0, 30.0])) == pytest.approx(0, abs=1e-8)
    assert js_distance(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == pytest.approx(1)
    # the mean of (1, 0) and (1/2, 1/2) is (3/4, 1/4)
    divergence = (math.log2(4 / 3) + 0.5 * math.log2(2 / 3) + 0.5 * math.log2(2)) / 2
    found = js_distance(np.array([1.0, 0.0]), np.array([1.0, 1.0]))
    assert found == pytest.approx(math.sqrt(divergence))


@pytest.mark.parametrize(("threshold", "index"), [(MODERATE, 0.1), (LARGE, 0.25)])
def test_the_thresholds_are_those_of_the_population_stability_index(threshold: float, index: float) -> None:
    assert threshold == pytest.approx(math.sqrt(index / (8 * math.log(2))), abs=5e-4)


def test_a_mix_shows_its_largest_changes_first() -> None:
    drift = drift_of_mixes({"view": 90, "purchase": 10}, {"view": 40, "purchase": 40, "rate": 20})
    assert drift is not None
    assert drift.level == "large"
    assert [(change.name, change.before, change.after) for change in drift.changes] == [
        ("view", 0.9, 0.4),
        ("purchase", 0.1, 0.4),
        ("rate", 0.0, 0.2),
    ]


def test_without_interactions_there_is_no_drift() -> None:
    assert drift_of_mixes({}, {"view": 1}) is None
    assert drift_of_mixes({"view": 1}, {"view": 0}) is None


def test_a_profile_counts_each_interaction_once() -> None:
    rows = [
        row(1, [0, 0, 1], [10, 20, 30], 40, "all"),
        row(2, [0, 7], [5, 15], 40, "all"),
    ]
    rows[0]["values"] = [1.0, 2.0, 2.0]
    rows[1]["event_types"] = ["view", "purchase"]
    table = pa.Table.from_pylist(rows, TRAINING_SET)
    empty = np.zeros(3, np.int64)
    categories = [["Drama", "Crime"], ["Drama"], []]
    catalog = Catalog(["i0", "i1", "i2"], [""] * 3, categories, [""] * 3, empty, empty + FOREVER)
    snapshot = Snapshot.of([table.slice(0, 1), table.slice(1)], pa.array(catalog.item_ids))
    assert snapshot.item_counts.tolist() == [3, 1, 0]  # item 7 is not in the catalog
    assert snapshot.first_seen.tolist() == [5, 30, NEVER]
    found = profile(snapshot, catalog)
    assert (found.interactions, found.users, found.items, found.catalog) == (5, 2, 3, 3)
    assert (found.first, found.last) == (5, 30)
    assert found.event_types == {"view": 4, "purchase": 1}
    assert found.values == {"1": 1, "2": 2}
    assert found.categories == {"Drama": 2.5, "Crime": 1.5}
    assert found.top_shares == {"1 %": 0.75, "10 %": 0.75}


def test_a_column_of_many_values_has_no_mix() -> None:
    many = row(1, [0] * 30, list(range(30)), 40, "all") | {"values": [float(n) for n in range(30)]}
    table = pa.Table.from_pylist([many], TRAINING_SET)
    empty = np.zeros(1, np.int64)
    catalog = Catalog(["i0"], [""], [[]], [""], empty, empty + FOREVER)
    assert profile(Snapshot.of([table], pa.array(["i0"])), catalog).values == {}
