"""Balances the exposure of providers: offsets of their items' scores, and what these cost in accuracy.

The offsets are the multipliers of a constraint, that each provider's share of exposure equals its relevance.
Dual subgradient steps move them (Singh & Joachims 2018, "Fairness of Exposure in Rankings"; Xu et al. 2023,
"P-MMF", has such multipliers online), and stop as soon as the gap is small enough. At every step no other
lists with the same exposures have higher scores, discounted by place. An answer needs nothing but its
item's offset.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from components.evaluate_release.data.held_out import SEED
from components.evaluate_release.data.queries import Queries
from components.evaluate_release.models.served_ranking import ServedRanking
from components.metrics.accuracy import ndcg
from components.metrics.bootstrap import difference_interval
from components.metrics.fairness import (
    PLACES,
    ExposureBalance,
    Users,
    gap_of,
    provider_exposures,
)
from components.metrics.providers import NO_PROVIDER, Providers
from components.metrics.ranked_queries import RankedQueries
from components.progress import report
from serving.ranking.cold_start import Profile
from serving.release.arrays import FloatArray, Indexes
from serving.release.exposure_offsets import ExposureOffsets
from serving.release.ranking_data import Ranking

# Candidates of a query that the offsets can bring into its list.
POOL: Final = 500
STEPS: Final = 300
RATE: Final = 1.0  # log odds for a gap of the whole exposure

BestCandidates = Sequence[tuple[Indexes, FloatArray]]  # for each query, best first, scores in log odds


def with_offsets(
    ranking: Ranking,
    queries: Queries,
    interest: FloatArray,
    profiles: Mapping[str, Profile],
    providers: Providers,
    bound: float,
) -> Ranking:
    """Return the release with offsets that are fitted on its answers to validation queries.

    Args:
        interest: [queries, interest size]
        profiles: user -> attributes.
    """
    best = ServedRanking(ranking, queries, interest, profiles).best_log_odds(POOL)
    offsets, of_item = fit_offsets(best, queries.targets, providers, bound)
    blend = ranking.blend | {"exposure_offsets": offsets.to_json()}
    return replace(ranking, blend=blend, exposure_offsets=of_item)


def fit_offsets(
    best: BestCandidates, targets: NDArray[np.int32], providers: Providers, bound: float
) -> tuple[ExposureOffsets, FloatArray]:
    """Fit the offsets on validation queries; return them by provider, and of each item [items].

    Args:
        targets: [queries] items that were chosen; their shares are the relevance.
        bound: the exposure gap at which the steps end; the report says so if they don't reach it.
    """
    count = len(providers.names)
    scores, of_candidate = _padded(best, providers, count)
    relevance = np.bincount(providers.of_item[targets], minlength=count) / max(len(targets), 1)
    offsets, smallest = np.zeros(count), (np.inf, np.zeros(count))
    for _ in range(STEPS):
        missing = relevance - _exposure(scores, of_candidate, offsets)
        distance = float(np.abs(missing).sum() / 2)
        smallest = min(smallest, (distance, offsets), key=lambda pair: pair[0])
        if distance <= bound:
            break
        offsets = offsets + RATE * missing
    distance, offsets = smallest
    reached = "" if distance <= bound else f", not the {bound:.1%} of PENCHANT_BALANCED_EXPOSURE_GAP"
    report(f"exposure offsets leave a gap of {distance:.1%} on the validation queries{reached}")
    named = _named(offsets.round(6), providers, bound)
    return named, offsets.round(6)[providers.of_item].astype(np.float32)


def measure_balance(
    served: RankedQueries,
    balanced: RankedQueries,
    targets: NDArray[np.int32],
    users: Users,
    providers: Providers,
    bound: float,
) -> ExposureBalance:
    """Compare the served ranking with the balanced one; arguments as those of `measure_fairness`."""
    gap_without, gap_with = (
        gap_of(provider_exposures(each, targets, users, providers, SEED)) for each in (served, balanced)
    )
    without, balanced_ndcg = ndcg(served.ranks, PLACES), ndcg(balanced.ranks, PLACES)
    low, high = difference_interval(balanced_ndcg, without, users, SEED) or (None, None)
    return ExposureBalance(
        bound, gap_without, gap_with, float(without.mean()), float(balanced_ndcg.mean()), low, high
    )


def _padded(best: BestCandidates, providers: Providers, padding: int) -> tuple[FloatArray, NDArray[np.int64]]:
    """Return scores and providers [queries, longest]; −inf and `padding` where a query has no candidate."""
    longest = max((len(items) for items, _ in best), default=0)
    scores = np.full((len(best), longest), -np.inf, np.float32)
    of_candidate = np.full((len(best), longest), padding, np.int64)
    for row, (items, own) in enumerate(best):
        scores[row, : len(items)] = own
        of_candidate[row, : len(items)] = providers.of_item[items]
    return scores, of_candidate


def _exposure(
    scores: FloatArray, of_candidate: NDArray[np.int64], offsets: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return each provider's share of the exposure of all lists [providers]."""
    values = scores + np.append(offsets, 0).astype(np.float32)[of_candidate]
    places = min(PLACES, values.shape[1])
    first = np.argpartition(-values, places - 1, axis=1)[:, :places] if places else values.astype(np.intp)
    order = np.argsort(-np.take_along_axis(values, first, axis=1), axis=1, kind="stable")
    shown = np.take_along_axis(of_candidate, np.take_along_axis(first, order, axis=1), axis=1)
    weights = (shown < len(offsets)) / np.log2(np.arange(2, places + 2))
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    exposed = np.bincount(shown.ravel(), weights.ravel(), len(offsets) + 1)[: len(offsets)]
    return np.asarray(exposed / max(exposed.sum(), 1e-9))


def _named(offsets: NDArray[np.float64], providers: Providers, bound: float) -> ExposureOffsets:
    named = dict(zip(providers.names[: providers.named], offsets.tolist(), strict=False))
    rest = dict(zip(providers.names[providers.named :], offsets[providers.named :].tolist(), strict=True))
    without = rest.pop(NO_PROVIDER, 0.0)
    return ExposureOffsets(providers.column, named, next(iter(rest.values()), 0.0), without, bound)
