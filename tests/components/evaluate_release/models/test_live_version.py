"""Comparison with the live version: on new test queries, else by its recorded metric."""

import json
from dataclasses import replace

import numpy as np
import pytest

from components.errors import StepError
from components.evaluate_release.data.held_out import HeldOut
from components.evaluate_release.evaluation import assemble
from components.evaluate_release.metrics.metric_calculator import Figure
from components.evaluate_release.models import live_version
from components.evaluate_release.release_gate import Incomparable
from components.metrics.accuracy import MISS
from components.metrics.ranked_queries import RankedQueries
from feature_repo.feedback import FeedbackPolicy
from tests.components.evaluate_release.ring_world import MINUTE, N_USERS, START, publish

BLEND = {"features": ["interest"], "weights": [1.0]}


@pytest.fixture
def held_out(world) -> HeldOut:
    return HeldOut.read(
        world.training_set,
        assemble(world.interest_model, world.filters, world.items).catalog,
        FeedbackPolicy(),
    )


@pytest.fixture
def candidate() -> RankedQueries:
    """Rank 1 for the first half of the users, a miss for the others."""
    ranks = np.where(np.arange(N_USERS) < N_USERS // 2, 1, MISS).astype(np.int32)
    return RankedQueries(ranks, np.zeros((N_USERS, 20), np.int32))


# Of the candidate, on all test queries.
FIGURE = Figure(0.5, 0.45, 0.55)


def test_there_is_no_comparison_before_the_first_release(tmp_path, held_out, candidate) -> None:
    assert live_version.compare(str(tmp_path), "leave-one-out", held_out, candidate, FIGURE) is None


def test_both_are_measured_on_queries_newer_than_the_live_versions_training_data(
    tmp_path, world, blend, held_out, candidate
) -> None:
    after_ten = START + 10 * MINUTE  # users 10 … 119 interact later than that: 110 queries
    releases = publish(world, blend, tmp_path, learned_until=after_ten, metrics={}, protocol="leave-one-out")
    result = live_version.compare(releases, "leave-one-out", held_out, candidate, FIGURE)
    assert result.new_queries.sum() == len(result.answers.ranks) == 110
    assert (result.answers.ranks == 1).all()
    assert result.answers.items[:, 0].tolist() == held_out.test.targets[result.new_queries].tolist()
    assert result.comparison.live == 1.0
    assert result.comparison.candidate == pytest.approx(50 / 110)
    assert result.comparison.difference is not None
    low, high = result.comparison.difference
    assert -0.65 < low < -0.55 < -0.5 < high < -0.44  # paired, by the users: 60 / 110 ± 2 × 0.047
    assert "110 test queries" in result.comparison.measured


def test_the_recorded_metric_is_used_when_too_few_queries_are_new(
    tmp_path, world, held_out, candidate
) -> None:
    later = START + N_USERS * MINUTE
    about = {"learned_until": later, "metrics": {"ndcg_at_10": 0.4}, "protocol": "leave-one-out"}
    result = live_version.compare(
        publish(world, BLEND, tmp_path, **about), "leave-one-out", held_out, candidate, FIGURE
    )
    assert result.answers is None
    assert (result.comparison.live, result.comparison.candidate) == (0.4, 0.5)
    assert result.comparison.difference is None
    assert "only 0 test queries are newer than its training data" in result.comparison.measured


@pytest.mark.parametrize(
    ("low", "high", "difference"), [(0.3, 0.44, (0.01, 0.25)), (0.3, 0.5, (-0.05, 0.25))]
)
def test_recorded_intervals_bound_the_difference(
    tmp_path, world, held_out, candidate, low, high, difference
) -> None:
    recorded = {"ndcg_at_10": 0.4, "ndcg_at_10_low": low, "ndcg_at_10_high": high}
    about = {"learned_until": START + N_USERS * MINUTE, "metrics": recorded, "protocol": "time"}
    releases = publish(world, BLEND, tmp_path, **about)
    result = live_version.compare(releases, "time", held_out, candidate, FIGURE)
    assert result.comparison.difference == pytest.approx(difference)


def test_the_recorded_metric_is_used_when_the_live_version_has_newer_training_data(
    tmp_path, world, held_out, candidate
) -> None:
    """The live version was refitted on all data; the candidate is measured before its refit."""
    measured_early = replace(held_out, rows=replace(held_out.rows, trained_until=START + 5 * MINUTE))
    about = {"learned_until": START + 10 * MINUTE, "metrics": {"ndcg_at_10": 0.4}, "protocol": "time"}
    result = live_version.compare(
        publish(world, BLEND, tmp_path, **about), "time", measured_early, candidate, FIGURE
    )
    assert (result.answers, result.comparison.live, result.comparison.candidate) == (None, 0.4, 0.5)
    assert "its training data is newer than the candidate's" in result.comparison.measured


@pytest.mark.parametrize(
    ("about", "reason"),
    [
        ({"metrics": {}, "protocol": "time"}, "records no ndcg_at_10, and only 0 test queries"),
        ({"metrics": {"ndcg_at_10": 0.4}, "protocol": "leave-one-out"}, "protocol leave-one-out, not time"),
    ],
)
def test_incomparable_metrics_are_not_compared(tmp_path, world, held_out, candidate, about, reason) -> None:
    releases = publish(world, BLEND, tmp_path, learned_until=START + N_USERS * MINUTE, **about)
    comparison = live_version.compare(releases, "time", held_out, candidate, FIGURE).comparison
    assert isinstance(comparison, Incomparable)
    assert reason in comparison.reason


def test_the_recorded_metric_is_used_for_another_contract(tmp_path, world, held_out, candidate) -> None:
    about = {"learned_until": 0, "metrics": {"ndcg_at_10": 0.4}, "protocol": "time"}
    releases = publish(world, BLEND, tmp_path, **about)
    manifest = tmp_path / "ranking" / "3" / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"fingerprint": "another"}))
    assert live_version.compare(releases, "time", held_out, candidate, FIGURE).answers is None


@pytest.mark.parametrize("broken", ["manifest.json", "catalog.parquet"])
def test_a_broken_live_release_raises_with_advice(tmp_path, world, held_out, candidate, broken) -> None:
    about = {"learned_until": 0, "metrics": {}, "protocol": "time"}
    releases = publish(world, BLEND, tmp_path, **about)
    (tmp_path / "ranking" / "3" / broken).unlink()
    with pytest.raises(StepError, match=r"live release 3 at .* can't be opened .*review rollback"):
        live_version.compare(releases, "time", held_out, candidate, FIGURE)
