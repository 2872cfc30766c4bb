"""Tests of the service through its client: what a search by words changes in the next answer."""

from collections.abc import Iterator

import pytest

from feature_repo.histories import History
from feature_repo.interaction import Interaction
from feature_repo.searches import Searches
from serving.answers import Answer, Basis, Source
from serving.errors import InvalidRequest
from tests.serving.service import FakeSnapshot, RunningService, running

DAY_US = 86_400_000_000

# The first day of 2020.
DAY_0 = 18_262


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running(tmp_path_factory.mktemp("service")) as service:
        yield service


def likes(user: str, category: str, *numbers: int, day: int = 1) -> list[Interaction]:
    return [
        Interaction(f"{user}-{category}-{n}", user, f"{category}-{n}", "like", (DAY_0 + day) * DAY_US + n)
        for n in numbers
    ]


def horror(answer: Answer) -> int:
    return sum("Horror" in item.categories for item in answer.recommendations)


def test_the_next_answer_follows_a_search_and_says_so(service: RunningService) -> None:
    service.client.record_all(likes("ann", "comedy", *range(6)))
    assert horror(service.client.recommend("ann")) == 0
    service.client.record_search("ann", " HORROR ", timestamp=(DAY_0 + 2) * DAY_US)
    after = service.client.recommend("ann", explain=True)
    assert (after.basis, horror(after)) == (Basis.HISTORY, 10)
    first = after.recommendations[0]
    assert first.reason == "matches your search 'HORROR'"
    assert Source.SEARCH in first.sources
    assert first.contributions["search"] > 0
    service.client.record_search("ann", "horror 7", timestamp=(DAY_0 + 2) * DAY_US + 1)
    assert service.client.recommend("ann").recommendations[0].item_id == "horror-7"
    # Interactions after a search take its effect back.
    service.client.record_all(likes("ann", "comedy", *range(7, 15), day=3))
    assert horror(service.client.recommend("ann", k=6)) == 0


def test_a_search_is_the_basis_for_a_user_without_a_history(service: RunningService) -> None:
    service.client.record_search("new", "comedy")
    answer = service.client.recommend("new", explain=True)
    assert answer.basis == Basis.SEARCH
    assert {item.reason for item in answer.recommendations} == {"matches your search 'comedy'"}
    for item in answer.recommendations:
        assert item.contributions["trend"] + item.contributions["search"] == item.score


def test_a_search_in_the_request_and_one_in_the_snapshot_count_alike(service: RunningService) -> None:
    search = Interaction("s", "", "", "search", (DAY_0 + 2) * DAY_US, query="horror")
    in_request = service.client.recommend("", history=[search])
    service.features.snapshots["kept"] = FakeSnapshot(searches=Searches(["horror"], [(DAY_0 + 2) * DAY_US]))
    in_snapshot = service.client.recommend("kept")
    assert in_request.recommendations == in_snapshot.recommendations
    assert horror(in_snapshot) == 10


def test_words_that_no_item_has_change_nothing(service: RunningService) -> None:
    snapshot = FakeSnapshot(History().extend(likes("u", "comedy", 1, 2)), as_of=DAY_US)
    service.features.snapshots["u"] = snapshot
    before = service.client.recommend("u")
    service.client.record_search("u", "zzz")
    after = service.client.recommend("u")
    assert after.recommendations == before.recommendations


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"item_id": "a", "event_type": "search"}, "item_id"),
        ({"event_type": "purchase"}, "event_type"),
        ({"query": "  "}, "query"),
        ({"query": "x" * 257}, "query"),
        ({"query": "a\nb"}, "query"),
        ({"query": ""}, "item_id"),
    ],
)
def test_a_search_has_words_and_no_item(service: RunningService, wrong: dict[str, str], message: str) -> None:
    values = {"item_id": "", "event_type": "", "query": "space", **wrong}
    search = Interaction("", "ann", values["item_id"], values["event_type"], 1, query=values["query"])
    with pytest.raises(InvalidRequest, match=message):
        service.client.record_all([search])
