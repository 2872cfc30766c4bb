"""The served ranking gives the same numbers for blocks of any size, and what the request path answers."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from components.evaluate_release.data.judged_histories import judge
from components.evaluate_release.data.queries import Queries, read_queries
from components.evaluate_release.models.served_ranking import ServedRanking
from components.metrics.ranked_queries import MAX_LENGTH
from feature_repo.feedback import FeedbackPolicy
from feature_repo.rating_scale import RatingScale
from feature_repo.searches import Searches
from feature_repo.table_schemas import TRAINING_SET
from serving.ranking.blend_features import FEATURES
from serving.ranking.candidate_retrieval import EXHAUSTIVE_ITEMS
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.request import Request
from serving.ranking.signed_history import item_codes
from serving.release.item_words import ItemWords
from serving.release.ranking_data import Ranking
from serving.request_ranking import RequestRanking
from serving.user_data.request_context import EMPTY_CONTEXT
from serving.user_history import UserHistory
from tests.serving.rankings import ranking

POLICY = FeedbackPolicy(ratings=RatingScale(1, 5, 3.4, 1.1))
EVENTS = ("view", "rate", "rate", "like", "dislike", "purchase", "skip")
BLEND = {"features": list(FEATURES), "weights": np.linspace(0.5, 1.5, len(FEATURES)).tolist()}


def history(user: int, item_count: int, random: np.random.Generator) -> dict[str, Any]:
    """Return a query of a user with 0 to 60 interactions, some of one time, some with unknown items."""
    length = 0 if user % 9 == 0 else int(random.integers(1, 60))
    return {
        "user_id": f"u{user:02}",
        "cutoff": 1_000_000,
        "split": "test",
        "target_item_id": f"item-{random.integers(item_count)}",
        "interaction_ids": [f"u{user:02}-{step:02}" for step in range(length)],
        "item_ids": [f"item-{item}" for item in random.integers(0, item_count + 9, length)],
        "event_types": random.choice(EVENTS, length).tolist(),
        "values": random.integers(1, 6, length).astype(float).tolist(),
        "timestamps": np.sort(random.integers(0, 400, length)).tolist(),
    }


def world(item_count: int, users: int) -> tuple[Ranking, Queries, Any]:
    """Return queries whose seen items are kept; some users searched, some disliked items long ago."""
    release = ranking(item_count, users=400, blend=BLEND)
    words = ItemWords.of(pa.table({"categories": pa.array(release.catalog.categories)}))
    filters = replace(release.filters, feedback=POLICY)
    release = replace(release, filters=filters, words=words, manifest={"seen_items": "keep"})
    random = np.random.default_rng(item_count)
    table = pa.Table.from_pylist([history(user, item_count, random) for user in range(users)], TRAINING_SET)
    queries = read_queries(table, "test", pa.array(release.catalog.item_ids), 0, POLICY, keep_seen=True)
    queries = replace(
        queries,
        searches=[Searches(["horror"], [300]) if user % 3 == 0 else Searches() for user in range(users)],
        disliked_before=[np.arange(0, 40 * (user % 2), dtype=np.int32) for user in range(users)],
    )
    return release, queries, random.normal(size=(users, 8)).astype(np.float32)


@pytest.fixture(scope="module", params=[120, EXHAUSTIVE_ITEMS + 1], ids=["all items", "union of sources"])
def evaluated(request: pytest.FixtureRequest) -> tuple[Ranking, Queries, Any]:
    return world(request.param, users=20)


def test_the_size_of_a_block_changes_no_number(evaluated: tuple[Ranking, Queries, Any]) -> None:
    release, queries, interest = evaluated
    whole, *parts = (ServedRanking(release, queries, interest, max_block=size) for size in (512, 7, 1))
    answers, examples = whole.answers(), whole.examples()
    assert np.isin(answers.ranks, np.arange(1, len(release.catalog))).any()
    for part in parts:
        assert np.array_equal(part.answers().ranks, answers.ranks)
        assert np.array_equal(part.answers().items, answers.items)
        assert part.examples().targets == examples.targets
        pairs = zip(part.examples().features, examples.features, strict=True)
        assert all(np.array_equal(ours, theirs) for ours, theirs in pairs)


def test_the_answers_are_those_of_requests(evaluated: tuple[Ranking, Queries, Any]) -> None:
    release, queries, interest = evaluated
    answers = ServedRanking(release, queries, interest).answers()
    loaded = LoadedRelease(release)
    for position, stored in enumerate(queries.histories):
        disliked = [f"item-{item}" for item in queries.disliked_before[position]]
        user = loaded.index(
            UserHistory(stored, disliked_before=disliked, searches=queries.searches[position])
        )
        query = user.query(None if user.is_cold else interest[position])
        request = RequestRanking(
            loaded,
            Request("", MAX_LENGTH),
            user,
            query,
            int(queries.cutoffs[position]),
            profile={},
            context=EMPTY_CONTEXT,
            cold=user.is_cold,
        )
        retrieved = request.retrieve()
        ranked, _ = request.rank(retrieved, request.select(retrieved))
        assert ranked.items.tolist() == answers.items[position].tolist()


def test_searches_and_old_dislikes_change_answers(evaluated: tuple[Ranking, Queries, Any]) -> None:
    release, queries, interest = evaluated
    for without in (replace(queries, searches=[]), replace(queries, disliked_before=[])):
        changed = ServedRanking(release, without, interest).answers().items
        assert not np.array_equal(changed, ServedRanking(release, queries, interest).answers().items)


def test_histories_judged_together_get_the_numbers_of_each_alone(
    evaluated: tuple[Ranking, Queries, Any],
) -> None:
    release, queries, _ = evaluated
    index, count = release.catalog.index, len(release.catalog)
    items = [np.array([index.get(item, -1) for item in own.item_ids], np.int32) for own in queries.histories]
    together = judge(queries.histories, items, count, POLICY)
    for judged, own, codes in zip(together, queries.histories, items, strict=True):
        alone = POLICY.preferences_and_votes(
            item_codes(codes, count), list(own.event_types), list(own.values), list(own.timestamps)
        )
        assert all(np.array_equal(ours, theirs) for ours, theirs in zip(judged, alone, strict=True))
