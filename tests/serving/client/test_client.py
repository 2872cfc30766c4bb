"""The client library: async methods, retries, imports, and the example of the README."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serving.client import AsyncRecommender, Recommender
from serving.errors import InvalidRequest, Unavailable
from tests.patience import HANG_S
from tests.serving.service import RunningService, running


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running(tmp_path_factory.mktemp("service")) as service:
        yield service


def test_the_example_of_the_readme_runs(service: RunningService, capsys: pytest.CaptureFixture[str]) -> None:
    readme = (Path(__file__).parents[3] / "serving" / "README.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert '"127.0.0.1:50051"' in example
    exec(example.replace("127.0.0.1:50051", service.address), {})
    assert len(capsys.readouterr().out.splitlines()) == 11
    assert {interaction.event_type for interaction in service.log.since("196", 0)} == {"click", "search"}


def test_the_client_imports_only_grpc_and_protobuf() -> None:
    heavy = {"numpy", "pandas", "pyarrow", "pydantic", "scipy", "sqlalchemy", "tensorflow"}
    code = f"import sys, serving.client; print(*{heavy} & set(sys.modules))"
    imported = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert imported.stdout.split() == []


def test_the_async_client_recommends_and_records(service: RunningService) -> None:
    async def scenario() -> None:
        async with AsyncRecommender(service.address, HANG_S) as client:
            await client.record(
                "async", "horror-3", event_type="rate", value=5.0, timestamp=1_700_000_000_000_000
            )
            answer, interests = await asyncio.gather(
                client.recommend("async", k=3), client.interests("async")
            )
            assert [item.categories for item in answer.recommendations] == [["Horror"]] * 3
            assert interests.interests[0].category == "Horror"
            with pytest.raises(InvalidRequest, match="k: "):
                await client.recommend("async", k=5000)

    asyncio.run(scenario())


def test_a_retry_after_a_lost_response_records_an_interaction_once(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        original, failures = service.log.record, iter([True, True, False, False])

        def record_and_fail(interactions: Any, without_time: Any = ()) -> int:
            """Record the interactions, then fail the first two attempts."""
            recorded = original(interactions, without_time)
            if next(failures):
                raise Unavailable("the response was lost")
            return recorded

        service.log.record = record_and_fail  # type: ignore[method-assign]
        service.client.record("u", "comedy-1")
        assert len(service.log.since("u", 0)) == 1


def test_an_error_advises_to_start_a_service_only_if_none_listens(tmp_path: Path) -> None:
    advice = "start one with `penchant serve`"
    with Recommender("127.0.0.1:1", timeout_s=HANG_S) as client, pytest.raises(Unavailable, match=advice):
        client.recommend("u")
    with running(tmp_path, live=None) as service:
        service.log.broken = True
        with pytest.raises(Unavailable, match="database is locked") as caught:
            service.client.record("u", "comedy-1")
    assert advice not in str(caught.value)


def test_an_answer_for_nobody_says_how_to_record_a_click(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        answer = service.client.recommend("", k=1)
        shown = answer.recommendations[0]
        rating = rf"VISITOR_ID, '{shown.item_id}', 'rate', value=4, request_id='{answer.request_id}'"
        with pytest.raises(ValueError, match=rating):
            answer.rate(shown, 4)
        with pytest.raises(ValueError, match=r"give an anonymous visitor an id$"):
            service.client.record_search("", "space opera")


def test_an_answer_records_what_the_user_did_with_its_items(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        answer = service.client.recommend("u", k=5)
        first, second, third, fourth, fifth = answer.recommendations
        answer.click(first)
        answer.dismiss(second)
        answer.rate(third.item_id, 4)
        answer.dwell(fourth, 12.5)
        answer.useful(fifth, False)
        answer.act(fifth, "purchase", 9.99)
        (recorded,) = service.log.export(0, service.log.mark(1))
    assert {each.user_id for each in recorded} == {"u"}
    assert {each.request_id for each in recorded} == {answer.request_id}
    items = {item.item_id: number for number, item in enumerate(answer.recommendations, 1)}
    assert [(items[each.item_id], each.event_type) for each in recorded] == [
        (1, "click"),
        (2, "hide"),
        (3, "rate"),
        (4, "view"),
        (5, "not_useful"),
        (5, "purchase"),
    ]
    assert [each.value for each in recorded[2:4]] == [4.0, 12.5]


def test_an_answer_of_the_async_client_records_too(tmp_path: Path) -> None:
    async def scenario(address: str) -> str:
        async with AsyncRecommender(address, HANG_S) as client:
            answer = await client.recommend("u", k=1)
            await answer.click(answer.recommendations[0])
            return answer.request_id

    with running(tmp_path) as service:
        request_id = asyncio.run(scenario(service.address))
        (recorded,) = service.log.export(0, service.log.mark(1))
    assert [(each.event_type, each.request_id) for each in recorded] == [("click", request_id)]
