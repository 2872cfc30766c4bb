"""The exposure of planted providers, balanced by offsets."""

import numpy as np
import pyarrow as pa
import pytest

from components.evaluate_release.exposure_balance import fit_offsets
from components.metrics.providers import MAX_PROVIDERS, Providers
from serving.release.exposure_offsets import ExposureOffsets
from tests.balanced_exposure import WORLDS, World


def test_the_gap_of_a_hidden_provider_set_is_halved_at_two_percent_of_ndcg_or_less() -> None:
    balance, offsets = World.planted(1_500, *WORLDS["hidden"]).halved()
    assert balance.gap_without > 0.15
    assert balance.gap_with <= balance.gap_without / 2
    assert balance.ndcg_with >= 0.98 * balance.ndcg_without
    assert np.abs(offsets).max() < 2


def test_providers_that_are_exposed_as_asked_get_no_offsets() -> None:
    world = World.planted(300, 0.0, 0.0)
    best = [(np.arange(len(row), dtype=np.int32), row) for row in world.scores]
    _, offsets = fit_offsets(best, world.targets, world.providers, bound=0.5)
    assert not offsets.any()


def test_a_bound_out_of_reach_is_reported_and_the_nearest_offsets_are_kept(
    capsys: pytest.CaptureFixture[str],
) -> None:
    providers = Providers.of("seller", ["a", "b"])
    best = [(np.array([0], np.int32), np.zeros(1, np.float32))]  # seller b is never a candidate
    _, offsets = fit_offsets(best, np.array([1], np.int32), providers, bound=0.1)
    assert not offsets.any()
    assert "leave a gap of 100.0% on the validation queries, not the 10.0%" in capsys.readouterr().out


def test_the_recommender_reads_for_each_item_the_offset_that_was_fitted() -> None:
    sellers = [*(f"s{number}" for number in range(MAX_PROVIDERS + 5)), None, "", "s0"]
    providers, rng = Providers.of("seller", sellers), np.random.default_rng(0)
    everything = np.arange(len(sellers), dtype=np.int32)
    best = [(everything, rng.normal(size=len(sellers)).astype(np.float32)) for _ in range(50)]
    targets = rng.integers(0, 5, 50).astype(np.int32)
    fitted, offsets = fit_offsets(best, targets, providers, bound=0.01)
    assert len(np.unique(offsets)) > 3
    read = ExposureOffsets.of({"exposure_offsets": fitted.to_json()})
    assert read is not None
    np.testing.assert_array_equal(read.of_items(pa.table({"seller": sellers})), offsets)
