"""Exploration draws what it says it draws: stated propensities against frequencies, and its bounds."""

from collections import Counter
from functools import cache
from itertools import permutations

import numpy as np
import pytest
from scipy.stats import chisquare

from serving.ranking.exploration import Drawn, draw
from serving.ranking.scenarios import Exploration

# Four items of the pool, and one that the floor keeps out.
LOGITS = np.array([0.3, -9.0, 1.0, 0.0, 0.6], np.float32)
REQUESTS = 5_000
GREEDY = [2, 4, 0]

SOFT = Exploration(method="plackett_luce", share=0.6, temperature=0.7, floor=2)
EPSILON = Exploration(method="epsilon_greedy", share=0.5, epsilon=0.4, floor=2)


@cache
def answers(exploration: Exploration, count: int = REQUESTS) -> list[Drawn]:
    return [draw(LOGITS, 3, exploration, "u", str(number)) for number in range(count)]


@pytest.mark.parametrize("exploration", [SOFT, EPSILON], ids=lambda each: each.method)
def test_answers_are_as_frequent_as_their_propensities_state(exploration: Exploration) -> None:
    stated: dict[tuple[int, ...], float] = {}
    counts: Counter[tuple[int, ...]] = Counter()
    for drawn in answers(exploration):
        answer = tuple(drawn.positions.tolist())
        counts[answer] += 1
        assert stated.setdefault(answer, drawn.propensities.prod()) == drawn.propensities.prod()
    assert set(stated) == set(permutations([0, 2, 3, 4], 3))
    assert sum(stated.values()) == pytest.approx(1)
    observed = [counts[answer] for answer in stated]
    expected = [REQUESTS * probability for probability in stated.values()]
    assert chisquare(observed, np.array(expected) * REQUESTS / sum(expected)).pvalue > 0.01


@pytest.mark.parametrize("exploration", [SOFT, EPSILON], ids=lambda each: each.method)
def test_each_place_is_as_frequent_as_its_propensity_given_the_places_before(
    exploration: Exploration,
) -> None:
    prefixes: Counter[tuple[int, ...]] = Counter()
    stated: dict[tuple[int, ...], float] = {}
    for drawn in answers(exploration):
        for place in range(3):
            prefix = tuple(drawn.positions[: place + 1].tolist())
            prefixes[prefix] += 1
            stated[prefix] = float(drawn.propensities[place])
    for before in {(), *(prefix for prefix in prefixes if len(prefix) < 3)}:
        following = [prefix for prefix in prefixes if prefix[:-1] == before]
        total = sum(prefixes[prefix] for prefix in following)
        if total >= 200:
            probabilities = np.array([stated[prefix] for prefix in following])
            assert probabilities.sum() == pytest.approx(1)
            observed = [prefixes[prefix] for prefix in following]
            assert chisquare(observed, probabilities / probabilities.sum() * total).pvalue > 1e-3


def test_the_rest_of_the_requests_gets_the_best_items() -> None:
    rare = Exploration(method="plackett_luce", share=0.02, floor=2)
    others = [drawn for drawn in answers(rare, 2_000) if drawn.positions.tolist() != GREEDY]
    assert 5 <= len(others) <= 0.02 * 2_000 + 25
    best = next(drawn for drawn in answers(rare, 9) if drawn.positions.tolist() == GREEDY)
    assert best.propensities.prod() > 0.98


def test_what_is_too_low_or_outside_the_pool_is_never_drawn() -> None:
    always = Exploration(method="plackett_luce", share=1, floor=1e9, temperature=100, pool=3)
    assert {position for drawn in answers(always, 500) for position in drawn.positions} == {0, 2, 4}
    floor = Exploration(method="epsilon_greedy", share=1, epsilon=1, floor=0.5)
    drawn = answers(floor, 500)
    assert {each.positions[0] for each in drawn} == {2, 4}
    assert {tuple(each.positions[2:].tolist()) for each in drawn} == {
        (0,)
    }  # the pool is exhausted: the next best
    assert {each.propensities[2] for each in drawn} == {1.0}


def test_a_repeated_request_gets_the_same_answer() -> None:
    first, again = (draw(LOGITS, 3, SOFT, "u", "r") for _ in range(2))
    assert first.positions.tolist() == again.positions.tolist()
    assert draw(LOGITS[:0], 3, SOFT, "u", "r").positions.tolist() == []
