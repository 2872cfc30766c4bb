"""Replicas that share an interaction log: SQLite on one machine, PostgreSQL on several."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from feature_repo.interaction import Interaction
from tests.serving.planted import COUNT
from tests.serving.service import RunningService, running

Replicas = tuple[RunningService, RunningService]


@pytest.fixture
def replicas(tmp_path: Path, database_url: str) -> Iterator[Replicas]:
    with (
        running(tmp_path / "first", interaction_log=database_url) as first,
        running(tmp_path / "second", interaction_log=database_url) as second,
    ):
        yield first, second


def test_an_answer_reflects_what_another_replica_has_just_recorded(replicas: Replicas) -> None:
    user = uuid.uuid4().hex
    assert [replica.client.recommend(user).basis for replica in replicas] == ["trending"] * 2
    for number in range(6):
        writer, reader = replicas[number % 2], replicas[1 - number % 2]
        writer.client.record(user, f"horror-{number}")
        answer = reader.client.recommend(user, k=COUNT)
        assert (answer.basis, answer.degraded) == ("history", [])
        assert len(answer.recommendations) == COUNT - 1 - number
        assert f"horror-{number}" not in {item.item_id for item in answer.recommendations}


# Microseconds since the epoch.
TIMES = range(1_700_000_000_000_000, 1_700_000_000_000_020)


def test_retries_at_another_replica_lose_and_duplicate_no_interaction(replicas: Replicas) -> None:
    users = [uuid.uuid4().hex for _ in range(8)]

    def record(user: str) -> int:
        """Send each interaction to both replicas; return the number of new ones."""
        sent = [Interaction(f"{user}-{at}", user, "horror-1", "view", at) for at in TIMES]
        return sum(
            replica.client.record_all([interaction]).recorded for interaction in sent for replica in replicas
        )

    with ThreadPoolExecutor(8) as clients:
        assert list(clients.map(record, users)) == [20] * 8
    for user in users:
        recorded = sorted(interaction.timestamp for interaction in replicas[0].log.since(user, 0))
        assert recorded == list(TIMES)
