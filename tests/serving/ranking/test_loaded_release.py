"""What a release keeps of users between two answers."""

import numpy as np
import pytest

from feature_repo.histories import History
from feature_repo.interaction import Interaction
from serving.ranking import loaded_release
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.request import Request
from serving.release.user_sequences import UserSequences
from tests.serving.rankings import ranking

BLEND = {
    "features": ["interest", "sequence_knn"],
    "weights": [1.0, 1.0],
    "means": [0.0] * 2,
    "scales": [1.0] * 2,
}
INTEREST = np.ones(8, np.float32)


def history(*items: int) -> History:
    return History().extend(
        Interaction(f"{at}", "u", f"item-{item}", "view", at) for at, item in enumerate(items)
    )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one each time that neighbours are looked for."""
    calls: list[int] = []
    following = UserSequences.following

    def counted(*arguments: object) -> object:
        calls.append(1)
        return following(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(UserSequences, "following", counted)
    return calls


def scores(
    release: LoadedRelease, known: loaded_release.Recognized, interest: object = INTEREST
) -> list[float]:
    query = release.query(known, interest, 7)  # type: ignore[arg-type]
    candidates = release.retriever.retrieve(query)
    return release.rank(query, candidates, Request("u", k=5)).scores.tolist()


def test_a_user_s_next_list_costs_no_second_look(asked: list[int]) -> None:
    release = LoadedRelease(ranking(40, blend=BLEND))
    asked.clear()
    known = release.recognize(history(3, 4, 5))
    first = scores(release, known)
    assert scores(release, known) == first
    assert len(asked) == 1


def test_a_new_history_or_interest_is_worked_out_anew(asked: list[int]) -> None:
    release = LoadedRelease(ranking(40, blend=BLEND))
    known, longer = release.recognize(history(3, 4, 5)), release.recognize(history(3, 4, 5, 6))
    before = scores(release, known)
    for again in (scores(release, longer), scores(release, known, -INTEREST), scores(release, known, None)):
        assert again != before
    assert scores(release, known) == before
    assert release.query(known, INTEREST, 8).now == 8


def test_who_was_asked_about_longest_ago_makes_room(
    asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loaded_release, "_KEPT_BYTES", 2 * 40 * loaded_release._BYTES_AN_ITEM)
    release = LoadedRelease(ranking(40, blend=BLEND))
    users = [release.recognize(history(item)) for item in (3, 4, 5)]
    for known in users:
        scores(release, known)
    asked.clear()
    for known in (users[2], users[1], users[0]):
        scores(release, known)
    assert len(asked) == 1
