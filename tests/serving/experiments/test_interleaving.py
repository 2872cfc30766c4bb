"""Interleaving: what an answer shows, for whom a click counts, and that it is fair."""

from collections import Counter
from typing import get_args

import numpy as np
import pytest

from serving.experiments.interleaving import Interleaved, interleave
from serving.experiments.kinds import Method

A, B = list("pqrstu"), list("qpvtsw")
BOTH_METHODS = pytest.mark.parametrize("method", get_args(Method))

# The items of an answer and their credits.
Outcome = tuple[tuple[str, ...], tuple[float, ...]]


def drafts(
    first: list[str], second: list[str], k: int, count: int = 4_000, method: Method = "team-draft"
) -> list[Interleaved]:
    return [interleave(first, second, k, f"seed {number}", method) for number in range(count)]


def outcome(draft: Interleaved) -> Outcome:
    return tuple(draft.item_ids), tuple(draft.credits)


def probabilities(found: list[Interleaved]) -> dict[Outcome, float]:
    return {outcome(draft): float(np.prod(draft.propensities)) for draft in found}


def test_equal_rankings_are_shown_as_they_are_and_count_for_neither() -> None:
    assert interleave(A, A, 4, "s") == Interleaved(A[:4], [0.0] * 4, [1.0] * 4)


def test_the_picks_of_a_round_by_hand() -> None:
    seen = {outcome(draft) for draft in drafts(list("xab"), list("xcd"), 3, 100)}
    assert seen == {
        (("x", "a", "b"), (0, -1, -1)),
        (("x", "a", "c"), (0, -1, 1)),
        (("x", "c", "a"), (0, 1, -1)),
        (("x", "c", "d"), (0, 1, 1)),
    }


def test_the_draws_and_the_credits_by_hand() -> None:
    """The ranks 1 and 2 have the weights 1 and 1/8; what is left after the first place is certain."""
    drawn = probabilities(drafts(["a", "b"], ["b", "a"], 2, 100, "probabilistic"))
    shares = {items: share for (items, _), share in drawn.items()}
    assert shares == pytest.approx({("a", "b"): 0.5, ("b", "a"): 0.5})
    credits = {item: credit for outcome in drawn for item, credit in [next(zip(*outcome, strict=True))]}
    assert credits == pytest.approx({"a": -7 / 9, "b": 7 / 9})
    assert {credits[1] for _, credits in drawn} == {0.0}
    alone = interleave(["a"], [], 1, "s", "probabilistic")
    assert alone == Interleaved(["a"], [0.0], [1.0])


@BOTH_METHODS
@pytest.mark.parametrize("k", [1, 2, 5, 6, 8, 20])
def test_every_item_is_shown_once_and_none_is_missing(k: int, method: Method) -> None:
    for draft in drafts(A, B, k, 50, method):
        assert len(set(draft.item_ids)) == len(draft.item_ids) == min(k, len(set(A) | set(B)))
        assert len(draft.credits) == len(draft.propensities) == len(draft.item_ids)
        assert all(-1 <= credit <= 1 for credit in draft.credits)


@BOTH_METHODS
def test_a_ranking_with_fewer_items_leaves_the_rest_to_the_other(method: Method) -> None:
    draft = interleave(["p"], A, 6, "s", method)
    assert sorted(draft.item_ids) == sorted(A)
    after = draft.item_ids.index("p") + 1 if method == "probabilistic" else 2
    assert draft.credits[after:] == [0.0] * (6 - after)
    assert interleave([], [], 3, "s", method).item_ids == []


@BOTH_METHODS
def test_the_stated_propensities_are_the_frequencies(method: Method) -> None:
    found = drafts(A, B, 5, method=method)
    stated = probabilities(found)
    for draft, count in Counter(map(outcome, found)).items():
        assert count / len(found) == pytest.approx(stated[draft], abs=0.03)


@BOTH_METHODS
def test_a_user_who_clicks_by_place_alone_favours_neither(method: Method) -> None:
    """The sum of what such clicks count, over all answers by their probability, is zero at each place."""
    rankings = (A, B, 6) if method == "team-draft" else (A[:2], B[1:3], 3)  # so that all answers are drawn
    whole = probabilities(drafts(*rankings, method=method))
    assert sum(whole.values()) == pytest.approx(1.0)
    for place in range(rankings[2]):
        favour = sum(share * credits[place] for (_, credits), share in whole.items())
        assert favour == pytest.approx(0.0, abs=1e-12)
