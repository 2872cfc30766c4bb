"""The live release beside the candidate: asked what is new to it, else taken at its recorded figure."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from components.errors import StepError
from components.evaluate_release.data.held_out import HeldOut
from components.evaluate_release.data.ranked_queries import RankedQueries
from components.evaluate_release.evaluation import assemble
from components.evaluate_release.metrics.accuracy import MISS
from components.evaluate_release.models import live_version
from components.evaluate_release.release_gate import Incomparable
from tests.components.evaluate_release.ring_world import MINUTE, N_USERS, START, publish

BLEND = {"features": ["interest"], "weights": [1.0]}


@pytest.fixture
def held(world) -> HeldOut:
    return HeldOut.read(
        world.training_set, assemble(world.interest_model, world.filters, world.items).catalog
    )


@pytest.fixture
def ours() -> RankedQueries:
    """Rank 1 for the first half of the users, a miss for the others."""
    ranks = np.where(np.arange(N_USERS) < N_USERS // 2, 1, MISS).astype(np.int32)
    return RankedQueries(ranks, np.zeros((N_USERS, 20), np.int32))


def test_before_the_first_release_there_is_nothing_to_compare(tmp_path, held, ours):
    assert live_version.compare(str(tmp_path), "leave-one-out", held, ours) is None


def test_it_answers_the_queries_newer_than_all_it_has_learned_from(tmp_path, world, blend, held, ours):
    after_ten = START + 10 * MINUTE  # users 10 … 119 interact later than that: 110 queries
    releases = publish(world, blend, tmp_path, learned_until=after_ten, metrics={}, protocol="leave-one-out")
    found = live_version.compare(releases, "leave-one-out", held, ours)
    assert found.fresh.sum() == len(found.answered.ranks) == 110
    assert (found.answered.ranks == 1).all()  # it was taught the ring
    assert found.answered.items[:, 0].tolist() == held.test.targets[found.fresh].tolist()
    assert found.comparison.live == 1.0
    assert found.comparison.candidate == pytest.approx(50 / 110)
    assert "110 test queries" in found.comparison.measured


def test_it_is_taken_at_its_recorded_figure_when_too_few_queries_are_new(tmp_path, world, held, ours):
    later = START + N_USERS * MINUTE
    about = {"learned_until": later, "metrics": {"ndcg_at_10": 0.4}, "protocol": "leave-one-out"}
    found = live_version.compare(publish(world, BLEND, tmp_path, **about), "leave-one-out", held, ours)
    assert found.answered is None
    assert (found.comparison.live, found.comparison.candidate) == (0.4, 0.5)
    assert "only 0 test queries are newer than what it has learned from" in found.comparison.measured


def test_it_is_taken_at_its_recorded_figure_when_it_has_learned_what_the_candidate_had_not(
    tmp_path, world, held, ours
):
    """A refit teaches the live version everything until last night, and measuring comes before a refit."""
    early = pc.field("cutoff").cast(pa.int64()) <= START + 5 * MINUTE
    measured_early = replace(
        held, training_set=held.training_set.filter((pc.field("split") != "train") | early)
    )
    about = {"learned_until": START + 10 * MINUTE, "metrics": {"ndcg_at_10": 0.4}, "protocol": "time"}
    found = live_version.compare(publish(world, BLEND, tmp_path, **about), "time", measured_early, ours)
    assert (found.answered, found.comparison.live, found.comparison.candidate) == (None, 0.4, 0.5)
    assert "newer interactions than the candidate was measured with" in found.comparison.measured


@pytest.mark.parametrize(
    ("about", "why"),
    [
        ({"metrics": {}, "protocol": "time"}, "records no ndcg_at_10, and only 0 test queries"),
        ({"metrics": {"ndcg_at_10": 0.4}, "protocol": "leave-one-out"}, "protocol leave-one-out, not time"),
    ],
)
def test_a_figure_of_another_kind_is_not_compared(tmp_path, world, held, ours, about, why):
    releases = publish(world, BLEND, tmp_path, learned_until=START + N_USERS * MINUTE, **about)
    comparison = live_version.compare(releases, "time", held, ours).comparison
    assert isinstance(comparison, Incomparable)
    assert why in comparison.why


def test_a_release_of_another_contract_is_taken_at_its_recorded_figure(tmp_path, world, held, ours):
    about = {"learned_until": 0, "metrics": {"ndcg_at_10": 0.4}, "protocol": "time"}
    releases = publish(world, BLEND, tmp_path, **about)
    manifest = tmp_path / "ranking" / "3" / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"fingerprint": "another"}))
    assert live_version.compare(releases, "time", held, ours).answered is None


@pytest.mark.parametrize("broken", ["manifest.json", "catalog.parquet"])
def test_a_broken_live_release_is_named_with_the_way_out(tmp_path, world, held, ours, broken):
    about = {"learned_until": 0, "metrics": {}, "protocol": "time"}
    releases = publish(world, BLEND, tmp_path, **about)
    (tmp_path / "ranking" / "3" / broken).unlink()
    with pytest.raises(StepError, match=r"live release 3 at .* can't be opened .*review rollback"):
        live_version.compare(releases, "time", held, ours)
