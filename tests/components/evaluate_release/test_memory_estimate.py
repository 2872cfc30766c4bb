"""An evaluation that does not fit ends before it begins."""

from pathlib import Path

import pytest

from components import memory
from components.errors import StepError
from components.evaluate_release.dossier.facts import RunRecord
from components.evaluate_release.evaluation import evaluate
from components.evaluate_release.memory_estimate import (
    BASE_BYTES,
    BYTES_PER_INTERACTION,
    check_evaluation_memory,
)
from feature_repo.feedback import FeedbackPolicy
from tests.components.evaluate_release.ring_world import LENGTH, N_ITEMS, N_USERS

# A user has a validation query and a test query: without the last two interactions, and without the last.
QUERIES, INTERACTIONS = 2 * N_USERS, N_USERS * (2 * LENGTH - 3)
SIZE = f"{N_ITEMS:,} items, {N_USERS:,} users and {QUERIES:,} queries with {INTERACTIONS:,} interactions"


@pytest.fixture
def limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file with the limit of the container."""
    monkeypatch.setattr(memory, "_CONTAINER_LIMITS", (tmp_path / "memory.max",))
    return tmp_path / "memory.max"


def test_an_evaluation_that_does_not_fit_says_so_before_it_starts(world, tmp_path, limit) -> None:
    limit.write_text("1000000000")
    inputs = (world.interest_model, world.filters, world.training_set, world.items, world.users)
    addresses = ("leave-one-out", str(tmp_path / "releases"), f"sqlite:///{tmp_path}/mlflow.db", "run")
    outputs = {"evaluation": tmp_path / "evaluation", "report": tmp_path / "report.html"}
    expected = f"{SIZE} take about .* GB of memory, and this process can have 1.0 GB: give the step more"
    with pytest.raises(StepError, match=f"^evaluation: {expected}"):
        evaluate(*inputs, None, FeedbackPolicy(), *addresses, RunRecord("auto"), **outputs)
    assert list(tmp_path.iterdir()) == [limit]


def test_the_estimate_counts_the_interactions_before_held_out_ones(world, limit, capsys) -> None:
    needed = BASE_BYTES + BYTES_PER_INTERACTION * INTERACTIONS
    limit.write_text(str(needed))  # without the bytes of the items
    with pytest.raises(StepError, match=SIZE):
        check_evaluation_memory(world.training_set, world.items, world.users, world.filters)
    limit.write_text(str(needed + 10**6))
    check_evaluation_memory(world.training_set, world.items, world.users, world.filters)
    assert f"evaluation: {SIZE} take about {needed / 1e9:.1f} GB of memory" in capsys.readouterr().out
