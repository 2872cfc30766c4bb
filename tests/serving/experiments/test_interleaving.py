"""Team draft: what an interleaved answer shows, for whom a click counts, and that it is fair."""

from collections import Counter

import numpy as np
import pytest

from serving.experiments.interleaving import Interleaved, interleave

A, B = list("pqrstu"), list("qpvtsw")


def drafts(first: list[str], second: list[str], k: int, count: int = 4_000) -> list[Interleaved]:
    return [interleave(first, second, k, f"seed {number}") for number in range(count)]


def test_equal_rankings_are_shown_as_they_are_and_count_for_neither() -> None:
    assert interleave(A, A, 4, "s") == Interleaved(A[:4], "----", [1.0] * 4)


def test_the_picks_of_a_round_by_hand() -> None:
    seen = {(tuple(draft.item_ids), draft.teams) for draft in drafts(list("xab"), list("xcd"), 3, 100)}
    assert seen == {
        (("x", "a", "b"), "-aa"),
        (("x", "a", "c"), "-ab"),
        (("x", "c", "a"), "-ba"),
        (("x", "c", "d"), "-bb"),
    }


@pytest.mark.parametrize("k", [1, 2, 5, 6, 8, 20])
def test_every_item_is_shown_once_and_none_is_missing(k: int) -> None:
    for draft in drafts(A, B, k, 50):
        assert len(set(draft.item_ids)) == len(draft.item_ids) == min(k, len(set(A) | set(B)))
        assert len(draft.teams) == len(draft.propensities) == len(draft.item_ids)


def test_a_ranking_with_fewer_items_leaves_the_rest_to_the_other() -> None:
    draft = interleave(["p"], A, 6, "s")
    assert sorted(draft.item_ids) == sorted(A)
    assert draft.teams[2:] == "----"
    assert interleave([], [], 3, "s").item_ids == []


def test_the_stated_propensities_are_the_frequencies() -> None:
    found = drafts(A, B, 5)
    whole = Counter((tuple(draft.item_ids), draft.teams) for draft in found)
    stated = {(tuple(draft.item_ids), draft.teams): float(np.prod(draft.propensities)) for draft in found}
    for draft, count in whole.items():
        assert count / len(found) == pytest.approx(stated[draft], abs=0.03)


def test_a_user_who_clicks_by_place_alone_favours_neither() -> None:
    """The sum of what such clicks count, over all answers by their probability, is zero at each place."""
    whole = {
        (tuple(draft.item_ids), draft.teams): float(np.prod(draft.propensities)) for draft in drafts(A, B, 6)
    }
    assert sum(whole.values()) == pytest.approx(1.0)
    for place in range(6):
        favour = sum(share * {"a": 1, "b": -1, "-": 0}[teams[place]] for (_, teams), share in whole.items())
        assert favour == pytest.approx(0.0)
