"""Selection by expected value, and with balanced exposure."""

from dataclasses import replace

import numpy as np
import pytest

from serving.ranking.candidate_set import Candidates, SourceBits
from serving.ranking.request import Request
from serving.ranking.scenarios import Scenario
from serving.ranking.selection import ScoredSelection, select
from tests.serving.rankings import ranking

ADS = Scenario(name="ads", objective="expected_value")
SCORES = np.array([3, 2, 1, 0], np.float32)


def selected(bids: list[float], lowered: list[float], k: int = 1) -> ScoredSelection:
    """Select among items 0 to 3 with SCORES, from which dislikes take `lowered`."""
    candidates = Candidates.of(np.arange(4, dtype=np.int32), np.ones(4, SourceBits))
    request = Request("u", k, scenario=ADS, bids={f"item-{item}": bid for item, bid in enumerate(bids)})
    scores = SCORES - np.array(lowered, np.float32) if any(lowered) else SCORES
    return select(ranking(4), np.zeros(4, bool), candidates, scores, SCORES, request)


def test_an_item_that_a_dislike_keeps_out_is_displaced() -> None:
    answer = selected([1, 1, 1, 1], [2, 0, 0, 0])
    assert (answer.positions.tolist(), answer.displaced.tolist()) == ([1], [0])


def test_an_item_that_its_bid_keeps_out_is_not_displaced() -> None:
    """Item 0 scores highest, but would lose to the bid of item 1 without the dislike too."""
    answer = selected([1, 100, 1, 1], [2, 0, 0, 0])
    assert (answer.positions.tolist(), answer.displaced.tolist()) == ([1], [])


def test_a_high_bid_is_displaced_where_it_would_win_without_the_dislike() -> None:
    answer = selected([1, 1, 1, 30], [0, 0, 0, 9])
    assert (answer.positions.tolist(), answer.displaced.tolist()) == ([0], [3])


@pytest.mark.parametrize("bid", [1.0, 1e6])
def test_a_bid_does_not_change_the_probability_of_a_disliked_item(bid: float) -> None:
    answer = selected([1, 1, 1, bid], [0, 0, 0, 9], k=4)
    assert answer.probabilities is not None
    of_item = dict(zip(answer.positions.tolist(), answer.probabilities.tolist(), strict=True))
    odds = np.exp([3, 2, 1, -9])
    assert of_item[3] == pytest.approx(odds[3] / odds.sum(), rel=1e-4)


def balanced(offsets: list[float], k: int = 3) -> ScoredSelection:
    """Select among items 0 to 3 with SCORES and these offsets of their providers."""
    candidates = Candidates.of(np.arange(4, dtype=np.int32), np.ones(4, SourceBits))
    request = Request("u", k, scenario=Scenario(balance_exposure=True), request_id="r")
    release = replace(ranking(4), exposure_offsets=np.array(offsets, np.float32))
    return select(release, np.zeros(4, bool), candidates, SCORES, SCORES, request)


def test_offsets_move_items_and_the_answer_keeps_their_scores() -> None:
    answer = balanced([0, 0, 1.5, 0])
    assert answer.positions.tolist() == [0, 2, 1]
    assert answer.values.tolist() == [3, 1, 2]
    assert answer.reordered_by == [None, "balance_exposure", "balance_exposure"]


def test_offsets_of_zero_change_nothing() -> None:
    answer = balanced([0, 0, 0, 0])
    assert (answer.positions.tolist(), answer.reordered_by) == ([0, 1, 2], [None] * 3)
