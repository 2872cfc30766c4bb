"""The blocking and the asyncio client of the interest model, against the embedded model server."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from numpy.typing import NDArray

from feature_repo.histories import History
from feature_repo.interest_state import InterestBatch
from serving.errors import Unavailable
from serving.interest.model_server_client import AsyncInterestClient, InterestClient
from serving.model_server.server import ModelServer, create_server
from serving.recommender import LOOP_ITERATIONS_TO_SEND
from tests.fake_model_server import Refused, fake_model_server
from tests.patience import HANG_S, wait_until
from tests.serving.model_server.tiny_model import export


def history(*item_ids: str) -> History:
    """The n-th interaction happens at n µs."""
    count = len(item_ids)
    return History(
        [f"interaction {n}" for n in range(count)],
        list(item_ids),
        ["view"] * count,
        [float("nan")] * count,
        list(range(1, 1 + count)),
    )


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Versions 1 and 2; the interests of version 2 are twice those of version 1."""
    base_path = tmp_path_factory.mktemp("interest")
    for version in (1, 2):
        export(base_path / str(version), scale=version)
    return base_path


@pytest.fixture(scope="module")
def server(releases: Path) -> Iterator[tuple[ModelServer, int]]:
    server, port = create_server(releases)
    server.start()
    yield server, port
    server.stop().wait()


@pytest.fixture
def client(server: tuple[ModelServer, int]) -> Iterator[InterestClient]:
    client = InterestClient(f"127.0.0.1:{server[1]}")
    yield client
    client.close()


def test_interest_returns_a_batch(client: InterestClient) -> None:
    interests = client.interest([history("i1", "i2"), history("i3")], version=1, timeout_s=HANG_S)

    # 0.5 * [1, 1] + [2, 1] = [2.5, 1.5]
    np.testing.assert_array_equal(interests.interest, np.array([[2.5, 1.5], [3.0, 1.0]], np.float32))
    np.testing.assert_array_equal(interests.state, interests.interest)
    np.testing.assert_array_equal(interests.as_of, np.array([2, 1]))
    assert interests.interest.dtype == interests.state.dtype == np.float32
    assert interests.as_of.dtype == np.int64
    assert len(interests) == 2


def test_interest_is_zero_for_an_empty_history(client: InterestClient) -> None:
    interests = client.interest([history()], timeout_s=HANG_S)

    assert interests.interest.tolist() == [[0.0, 0.0]]
    assert interests.as_of.tolist() == [0]


def test_interest_skips_unknown_items(client: InterestClient) -> None:
    expected = client.interest([history("i1", "i2")], timeout_s=HANG_S)
    mixed = client.interest([history("i1", "no such item é", "i2")], timeout_s=HANG_S)

    np.testing.assert_array_equal(expected.interest, mixed.interest)


def test_interest_accepts_every_length_up_to_the_longest_history(client: InterestClient) -> None:
    lengths = range(0, 201, 7)

    interests = client.interest(
        [history(*["i1"] * length) for length in lengths], version=1, timeout_s=HANG_S
    )

    expected = [2 * (1 - 0.5**length) for length in lengths]
    np.testing.assert_allclose(interests.interest[:, 0], expected, rtol=1e-6)
    assert interests.as_of.tolist() == list(lengths)


def test_advance_equals_the_interest_of_the_whole_history(client: InterestClient) -> None:
    whole = client.interest([history("i1", "i2", "i3"), history("i4")], timeout_s=HANG_S)
    before = client.interest([history("i1", "i2"), history()], timeout_s=HANG_S)
    newer = [History(["c"], ["i3"], ["view"], [1.0], [3]), History(["d"], ["i4"], ["view"], [1.0], [1])]

    after = client.advance(before, newer, timeout_s=HANG_S)

    np.testing.assert_array_equal(after.interest, whole.interest)
    np.testing.assert_array_equal(after.state, whole.state)
    np.testing.assert_array_equal(after.as_of, whole.as_of)


def test_advance_by_an_empty_history_changes_nothing(client: InterestClient) -> None:
    before = client.interest([history("i1", "i2")], timeout_s=HANG_S)

    after = client.advance(before, [history()], timeout_s=HANG_S)

    np.testing.assert_array_equal(after.state, before.state)
    np.testing.assert_array_equal(after.as_of, before.as_of)


def test_the_newest_version_is_the_default(client: InterestClient) -> None:
    assert client.available_versions(timeout_s=HANG_S) == [1, 2]
    assert client.interest([history("i1")], timeout_s=HANG_S).interest.tolist() == [[2.0, 2.0]]
    assert client.interest([history("i1")], version=1, timeout_s=HANG_S).interest.tolist() == [[1.0, 1.0]]


def test_a_missing_version_is_unavailable(client: InterestClient) -> None:
    with pytest.raises(
        Unavailable, match=r"NOT_FOUND: Servable not found for request: Specific\(interest, 9\)"
    ):
        client.interest([history("i1")], version=9, timeout_s=HANG_S)


def test_a_state_of_another_shape_is_unavailable_with_the_next_step(client: InterestClient) -> None:
    foreign = InterestBatch(np.zeros((1, 3), np.float32), np.zeros((1, 3), np.float32), np.zeros(1, np.int64))

    with pytest.raises(Unavailable, match=r"input state: expected shape .* push a release"):
        client.advance(foreign, [history("i1")], timeout_s=HANG_S)


def test_concurrent_calls_of_unequal_lengths_get_their_own_answers(client: InterestClient) -> None:
    lengths = [n * 37 % 50 for n in range(200)]
    with ThreadPoolExecutor(16) as threads:
        interests = threads.map(
            lambda length: client.interest([history(*["i1"] * length)], version=1, timeout_s=HANG_S), lengths
        )

        answers = [interest.interest[0, 0] for interest in interests]

    np.testing.assert_allclose(answers, [2 * (1 - 0.5**length) for length in lengths], rtol=1e-6)


def test_the_client_reconnects_after_a_restart_of_the_server(releases: Path) -> None:
    server, port = create_server(releases)
    server.start()
    client = InterestClient(f"127.0.0.1:{port}")
    assert client.available_versions(timeout_s=HANG_S) == [1, 2]

    server.stop().wait()
    with pytest.raises(Unavailable, match=f"model server 127.0.0.1:{port} .*penchant serve"):
        client.interest([history("i1")], timeout_s=HANG_S)

    server, _ = create_server(releases, port=port)
    server.start()
    wait_until(lambda: client.interest([history("i1")], timeout_s=HANG_S).interest.tolist() == [[2.0, 2.0]])
    client.close()
    server.stop().wait()


def test_the_asyncio_client_returns_the_same_interests(
    server: tuple[ModelServer, int], client: InterestClient
) -> None:
    histories = [history("i1", "i2"), history("i3")]

    before = client.interest(histories, version=2, timeout_s=HANG_S)

    async def call() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        own = AsyncInterestClient(client.address)
        whole = await own.interest(histories, version=2, timeout_s=HANG_S)
        advanced = await own.advance(before, histories, version=2, timeout_s=HANG_S)
        with pytest.raises(Unavailable, match=r"Servable not found for request: Specific\(interest, 7\)"):
            await own.interest(histories, version=7, timeout_s=HANG_S)
        with pytest.raises(Unavailable, match="DEADLINE_EXCEEDED"):
            await own.interest([history(*["i1"] * 200)] * 200, version=2, timeout_s=0.0001)
        await own.close()
        return whole, advanced

    whole, advanced = asyncio.run(call())
    np.testing.assert_array_equal(whole, before.interest)
    np.testing.assert_array_equal(advanced, client.advance(before, histories, 2, HANG_S).interest)


def test_a_call_is_sent_after_loop_iterations_to_send() -> None:
    has_arrived = Event()

    def refuse(rows: int) -> NDArray[np.float32]:
        has_arrived.set()
        raise Refused("arrived")

    async def call(address: str) -> None:
        client = AsyncInterestClient(address)
        with pytest.raises(Unavailable):  # connects
            await client.interest([history("i1")], timeout_s=HANG_S)
        has_arrived.clear()
        task = asyncio.create_task(client.interest([history("i1")], timeout_s=HANG_S))
        for _ in range(LOOP_ITERATIONS_TO_SEND):
            await asyncio.sleep(0)
        assert has_arrived.wait(HANG_S)  # the event loop is blocked meanwhile
        with pytest.raises(Unavailable):
            await task
        await client.close()

    with fake_model_server(refuse) as server:
        asyncio.run(call(server.address))


def test_a_call_is_unavailable_after_its_timeout(client: InterestClient) -> None:
    with pytest.raises(Unavailable, match="DEADLINE_EXCEEDED"):
        client.interest([history(*["i1"] * 200)] * 200, timeout_s=0.0001)


def test_an_unknown_model_name_is_unavailable(server: tuple[ModelServer, int]) -> None:
    client = InterestClient(f"127.0.0.1:{server[1]}", model_name="mood")

    with pytest.raises(Unavailable, match="Could not find any versions of model mood"):
        client.available_versions(timeout_s=HANG_S)
    client.close()


def test_the_client_does_not_import_tensorflow() -> None:
    unwanted = {"tensorflow", "pandas", "keras"}
    code = f"import sys, serving.interest.model_server_client; print({unwanted} & set(sys.modules))"

    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"
