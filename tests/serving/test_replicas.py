"""Several recommenders over one log answer as one: SQLite's are of one machine, PostgreSQL's of many."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from feature_repo.interaction import Interaction
from tests.serving.planted import COUNT
from tests.serving.service import Running, running

Replicas = tuple[Running, Running]


@pytest.fixture
def replicas(tmp_path: Path, database_url: str) -> Iterator[Replicas]:
    with (
        running(tmp_path / "one", interaction_log=database_url) as one,
        running(tmp_path / "other", interaction_log=database_url) as other,
    ):
        yield one, other


def test_what_one_records_shows_in_the_next_answer_of_the_other(replicas: Replicas) -> None:
    user = uuid.uuid4().hex
    assert [replica.client.recommend(user).basis for replica in replicas] == ["trending"] * 2
    for number in range(6):
        writer, reader = replicas[number % 2], replicas[1 - number % 2]
        writer.client.record(user, f"horror-{number}")
        answer = reader.client.recommend(user, k=COUNT)
        assert (answer.basis, answer.degraded) == ("history", [])
        assert len(answer.recommendations) == COUNT - 1 - number
        assert f"horror-{number}" not in {item.item_id for item in answer.recommendations}


def test_eight_clients_that_retry_at_the_other_one_lose_and_duplicate_nothing(replicas: Replicas) -> None:
    users = [uuid.uuid4().hex for _ in range(8)]

    def record(user: str) -> int:
        """How many were new, each sent to both."""
        sent = [Interaction(f"{user}-{number}", user, "horror-1", "view", number) for number in range(20)]
        return sum(replica.client.record_all([one]).recorded for one in sent for replica in replicas)

    with ThreadPoolExecutor(8) as clients:
        assert list(clients.map(record, users)) == [20] * 8
    for user in users:
        recorded = sorted(interaction.timestamp for interaction in replicas[0].log.since(user, 0))
        assert recorded == list(range(20))
