"""Filters fitted on people who rate films by genre alone, and the answers of a release with them."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.train_collaborative_filters.fitting import fit
from feature_repo.feedback import FeedbackPolicy
from feature_repo.histories import History
from feature_repo.rating_scale import RatingScale
from feature_repo.table_schemas import ITEMS, TRAINING_SET
from serving.answers import Recommendation
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.request import Request
from serving.release.catalog import Catalog
from serving.release.collaborative_filters import CollaborativeFilters
from serving.release.ranking_data import Ranking
from serving.request_ranking import RequestRanking
from serving.user_data.request_context import EMPTY_CONTEXT
from serving.user_history import UserHistory
from tests.benchmarks.opinions import FILMS, FLOP, Person, make_people

PEOPLE = make_people()
BLEND = {"features": ["ease", "user_cosine", "transitions", "popularity"], "weights": [10.0, 1.0, 1.0, 0.2]}


def history(film_ids: Sequence[str], ratings: Sequence[float], seconds: Sequence[int]) -> History:
    count = len(film_ids)
    times = [1_000_000 * second for second in seconds]
    return History(list(film_ids), list(film_ids), ["rate"] * count, list(ratings), times)


def training_set() -> pa.Table:
    rows = []
    for person in PEOPLE:
        past = history(person.film_ids, person.ratings, person.seconds)
        columns = {name: list(getattr(past, name)) for name in History.__dataclass_fields__}
        row = {"user_id": person.user_id, "cutoff": past.timestamps[-1] + 1, "split": "all"}
        rows.append(row | columns)
    return pa.Table.from_pylist(rows, schema=TRAINING_SET)


@pytest.fixture(scope="module", params=["categories", "no categories"])
def release(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LoadedRelease:
    """A release without an interest model; the films have their genre as a category, or none."""
    folder: Path = tmp_path_factory.mktemp("opinions")
    items = pa.Table.from_pylist(
        [
            {"item_id": film, "categories": [genre] if request.param == "categories" else []}
            for film, genre in FILMS.items()
        ],
        schema=ITEMS,
    )
    pq.write_table(items, folder / "items")
    pq.write_table(training_set(), folder / "training_set")
    ratings = np.concatenate([person.ratings for person in PEOPLE])
    feedback = FeedbackPolicy(ratings=RatingScale.learn(*np.unique(ratings, return_counts=True)))
    fit(folder / "training_set", folder / "items", "all", folder / "filters", feedback)
    embeddings = np.zeros((len(FILMS), 2), np.float32)
    filters = CollaborativeFilters.load(folder / "filters")
    return LoadedRelease(Ranking(1, Catalog.from_items(items), embeddings, filters, BLEND, {}))


def answer(release: LoadedRelease, past: History, k: int = 10, seen: bool = False) -> list[Recommendation]:
    """Return the answer for a history; the interest model does not answer."""
    user = release.index(UserHistory(past))
    request = Request("u", k=k, include_seen=seen)
    ranking = RequestRanking(
        release, request, user, user.query(None), time.time_ns() // 1000, {}, EMPTY_CONTEXT, user.is_cold
    )
    retrieved = ranking.retrieve()
    return ranking.present(ranking.rank(retrieved, ranking.select(retrieved))[0])


def places(recommendations: Sequence[Recommendation], genre: str) -> int:
    return sum(FILMS[item.item_id] == genre for item in recommendations)


def of_person(release: LoadedRelease, person: Person) -> list[Recommendation]:
    return answer(release, history(person.film_ids, person.ratings, person.seconds))


def test_a_hated_genre_gets_hardly_any_place(release: LoadedRelease) -> None:
    answers = [(person, of_person(release, person)) for person in PEOPLE]
    loved = sum(places(items, person.loved) for person, items in answers)
    hated = sum(places(items, person.hated) for person, items in answers)
    assert loved > 9 * len(PEOPLE)
    assert hated * 50 <= loved


def test_the_film_that_everyone_rates_1_is_answered_to_nobody(release: LoadedRelease) -> None:
    stranger = answer(release, History(), k=20)
    assert len(stranger) == 20
    answers = [of_person(release, person) for person in PEOPLE]
    assert not [item for items in [stranger, *answers] for item in items if item.item_id == FLOP]


def test_a_visitor_who_rates_five_films_of_a_genre_1_gets_less_of_it(release: LoadedRelease) -> None:
    stranger = answer(release, History(), k=20)
    for genre in dict.fromkeys(FILMS.values()):
        films = [f"{genre}-{number}" for number in range(5)]
        low = answer(release, history(films, [1.0] * 5, range(5)), k=20)
        high = answer(release, history(films, [5.0] * 5, range(5)), k=20)
        assert places(low, genre) < max(places(stranger, genre), 1)
        assert places(high, genre) > places(stranger, genre)
        assert {item.reason for item in low} == {"trending"}
        assert not {
            item.item_id for item in answer(release, history(films, [1.0] * 5, range(5)), 200, True)
        } & set(films)
