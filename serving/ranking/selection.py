"""Selection of the answer among scored candidates, by score or by expected value."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from serving.answers import Rule
from serving.ranking.calibration import click_probabilities
from serving.ranking.candidate_set import Candidates
from serving.ranking.diversification import Selection, diversify
from serving.ranking.exploration import draw
from serving.ranking.request import Request
from serving.ranking.top_k import best_positions
from serving.release.arrays import FloatArray, Indexes
from serving.release.ranking_data import Ranking

ToLogits = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, eq=False)
class ScoredSelection:
    """The answered candidates, best first."""

    positions: NDArray[np.intp]  # [≤ k] among the candidates
    values: FloatArray  # [≤ k] scores, or expected values
    reordered_by: list[Rule | None]  # [≤ k] as in Selection
    over_quota: Indexes  # items left out because a category of theirs has no slot left
    displaced: Indexes  # items left out because they are like what the user dislikes, best first
    probabilities: NDArray[np.float64] | None = None  # [≤ k] of a click; None for the objective "score"
    propensities: NDArray[np.float64] | None = None  # [≤ k] of Drawn; None without exploration, for 1


def select(
    ranking: Ranking,
    fresh: NDArray[np.bool_],
    candidates: Candidates,
    scores: FloatArray,
    without_dislikes: FloatArray,
    request: Request,
    to_logits: ToLogits = np.asarray,
) -> ScoredSelection:
    """Select the k best of the candidates [m] under the request's scenario.

    Args:
        fresh: [catalog]
        scores: [m]
        without_dislikes: [m] scores without the effect of dislikes; `scores` itself for a user without any.
        to_logits: from scores to the input of the softmax behind click probabilities.
    """
    scenario, items = request.scenario, candidates.items
    if scenario.objective == "expected_value":
        return _select_by_value(ranking, fresh, candidates, scores, without_dislikes, request, to_logits)
    if scenario.balance_exposure and ranking.exposure_offsets is not None:
        return _balance(ranking, fresh, items, scores, without_dislikes, request, to_logits)
    best = diversify(scores, items, ranking.catalog.content, fresh, request.k, scenario)
    if scenario.exploration:
        return _explore(items, scores, without_dislikes, request, to_logits, best)
    return _selected(items, scores, scores, without_dislikes, best)


def _balance(
    ranking: Ranking,
    fresh: NDArray[np.bool_],
    items: Indexes,
    scores: FloatArray,
    without_dislikes: FloatArray,
    request: Request,
    to_logits: ToLogits,
) -> ScoredSelection:
    """Select by log odds and the offsets of the items' providers; the answer has the scores themselves."""
    assert ranking.exposure_offsets is not None
    offsets, scenario = ranking.exposure_offsets[items], request.scenario
    values = to_logits(scores) + offsets
    without = values if without_dislikes is scores else to_logits(without_dislikes) + offsets
    best = diversify(values, items, ranking.catalog.content, fresh, request.k, scenario)
    best = _reordered(best, best_positions(scores, request.k), Rule.BALANCE_EXPOSURE)
    return _selected(items, scores, values, without, best)


def _selected(
    items: Indexes, scores: FloatArray, values: FloatArray, without_dislikes: FloatArray, best: Selection
) -> ScoredSelection:
    """Return a selection by `values` [m], with and without dislikes; the answer has `scores` [m]."""
    return ScoredSelection(
        best.positions,
        scores[best.positions],
        best.reordered_by,
        items[best.over_quota],
        _displaced(items, values, without_dislikes, best.positions),
    )


def _explore(
    items: Indexes,
    scores: FloatArray,
    without_dislikes: FloatArray,
    request: Request,
    to_logits: ToLogits,
    best: Selection,
) -> ScoredSelection:
    """Draw the answer; `best` is the one without exploration, other arguments as in `_selected`."""
    assert request.scenario.exploration
    drawn = draw(
        to_logits(scores), request.k, request.scenario.exploration, request.user_id, request.request_id
    )
    pairs = zip(drawn.positions.tolist(), best.positions.tolist(), best.reordered_by, strict=True)
    return ScoredSelection(
        drawn.positions,
        scores[drawn.positions],
        [rule if position == other else Rule.EXPLORATION for position, other, rule in pairs],
        items[best.over_quota],
        _displaced(items, scores, without_dislikes, best.positions),
        propensities=drawn.propensities,
    )


def _select_by_value(
    ranking: Ranking,
    fresh: NDArray[np.bool_],
    candidates: Candidates,
    scores: FloatArray,
    without_dislikes: FloatArray,
    request: Request,
    to_logits: ToLogits,
) -> ScoredSelection:
    """Select by bid times click probability; arguments as above."""
    bids = _bids(ranking, request)[candidates.items]
    with_bid = np.flatnonzero(bids > 0)
    items, bids = candidates.items[with_bid], bids[with_bid]

    def expected(each: FloatArray) -> tuple[NDArray[np.float64], FloatArray]:
        probabilities = click_probabilities(to_logits(each), ranking.blend)[with_bid]
        return probabilities, (bids * probabilities).astype(np.float32)

    probabilities, values = expected(scores)
    # What a bid keeps out is not left out for a dislike: compare values with values.
    without = values if without_dislikes is scores else expected(without_dislikes)[1]
    selection = diversify(values, items, ranking.catalog.content, fresh, request.k, request.scenario)
    by_score = best_positions(scores[with_bid], request.k)
    selection = _reordered(selection, by_score, Rule.EXPECTED_VALUE)
    return ScoredSelection(
        with_bid[selection.positions],
        values[selection.positions],
        selection.reordered_by,
        items[selection.over_quota],
        _displaced(items, values, without, selection.positions),
        probabilities[selection.positions],
    )


def _reordered(selection: Selection, by_score: NDArray[np.intp], rule: Rule) -> Selection:
    """Name `rule` for each place that the scores would give to another item, if no other rule set it."""
    rows = zip(selection.reordered_by, selection.positions.tolist(), by_score.tolist(), strict=False)
    reordered_by = [other or (rule if position != best else None) for other, position, best in rows]
    return replace(selection, reordered_by=reordered_by)


def _displaced(
    items: Indexes, scores: FloatArray, without_dislikes: FloatArray, selected: NDArray[np.intp]
) -> Indexes:
    """Return the items [d] that would be selected but for the user's dislikes, best first.

    Args:
        items: [m] with their scores or expected values [m] with and without dislikes; the same array for a
            user without any.
        selected: [k] positions of the answer.
    """
    if without_dislikes is scores:
        return items[:0]
    best = best_positions(without_dislikes, len(selected))
    is_lowered = scores[best] < without_dislikes[best]
    return items[best[is_lowered & ~np.isin(best, selected)]]


def _bids(ranking: Ranking, request: Request) -> NDArray[np.float64]:
    """Return the request's bid for each item of the catalog [catalog], 0 for items without one."""
    index = ranking.catalog.index
    bids = np.zeros(len(ranking.catalog), np.float64)
    for item_id, bid in request.bids.items():
        if item_id in index:
            bids[index[item_id]] = bid
    return bids
