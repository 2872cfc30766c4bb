"""Fairness: the gap of accuracy between user groups, and the exposure of each provider's items.

Exposure discounts the places of a list as NDCG does, and is fair if it is in proportion to relevance (Singh &
Joachims 2018, "Fairness of Exposure in Rankings"). Relevant is what users chose in the test split.

fairlearn's MetricFrame has the same means by group, but it resamples rows, as if each query had a user of its
own: of 20,000 queries of 1,000 users the interval of a gap is a fifth as wide, and 200 resamples take 37 CPU
seconds, not 0.02. It has no test of a gap.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from components.metrics.accuracy import ndcg, recall
from components.metrics.attribute_slices import USER_ATTRIBUTE, Masks
from components.metrics.bootstrap import MIN_USERS, bootstrap_means
from components.metrics.providers import Providers
from components.metrics.ranked_queries import RankedQueries
from serving.release.arrays import AnyFloatArray

PLACES: Final = 10
METRICS: Final = {"NDCG@10": ndcg, "HR@10": recall}
LEVEL: Final = 0.05
PERMUTATIONS: Final = 1_000
RESAMPLES: Final = 2_000  # the bounds of twenty providers are far out

Users = NDArray[np.int64]


@dataclass(frozen=True)
class GroupGap:
    """The best-served group of users minus the worst-served one, by one attribute and metric.

    Groups with fewer than MIN_USERS users are left out. The p value is that of a gap at least as large,
    between any two groups, if users had their groups by chance; over all attributes it is adjusted by
    Benjamini and Hochberg (1995).
    """

    attribute: str
    metric: str
    best: str
    worst: str
    best_value: float
    worst_value: float
    low: float  # of the gap, 95 %, bootstrap over users
    high: float
    least_share: (
        float  # lower bound of `share`, 95 % for all pairs of groups, attributes and metrics together
    )
    p_value: float

    @property
    def share(self) -> float:
        """The gap as a share of the best value."""
        return (self.best_value - self.worst_value) / self.best_value if self.best_value else 0.0


@dataclass(frozen=True)
class ProviderExposure:
    """One provider's shares of the catalog, of the held-out choices, and of the places of all lists.

    `low` and `high` bound exposure / relevance, bootstrap over users: 95 % for all providers together
    (Bonferroni). None where fewer than MIN_USERS users chose the provider, and for other and for no provider.
    """

    provider: str
    items: int
    catalog: float
    relevance: float
    exposure: float
    first_place: float  # share of the first places alone
    low: float | None
    high: float | None


@dataclass(frozen=True)
class ExposureBalance:
    """What a scenario with `balance_exposure` changes on the test queries: the exposure gap, and NDCG@10."""

    bound: float  # of the gap, asked for on the validation queries
    gap_without: float
    gap_with: float
    ndcg_without: float
    ndcg_with: float
    low: float | None  # of ndcg_with − ndcg_without, 95 %, bootstrap over users
    high: float | None


@dataclass(frozen=True)
class Fairness:
    """`providers` is empty where no column names them; `exposure_gap` is None then.

    `exposure_gap`: the share of exposure that would have to move to other providers to be as relevance is.
    """

    gaps: list[GroupGap]
    providers: list[ProviderExposure]
    provider_column: str = ""
    exposure_gap: float | None = None
    balance: ExposureBalance | None = None  # None where no release balances exposure


def measure_fairness(
    served: RankedQueries,
    targets: NDArray[np.int32],
    users: Users,
    slices: dict[str, Masks],
    providers: Providers | None,
    seed: int,
) -> Fairness:
    """Measure the served ranking.

    Args:
        targets: [queries] the items that were chosen.
        users: [queries] number of the query's user, from 0.
        slices: as split_queries returns them.
    """
    compared = {
        name.removeprefix(USER_ATTRIBUTE): groups
        for name, masks in slices.items()
        if name.startswith(USER_ATTRIBUTE) and len(groups := _large(masks, users)) > 1
    }
    level = LEVEL / max(len(compared) * len(METRICS), 1)
    gaps = _adjusted(
        [gap for name, groups in compared.items() for gap in _gaps(served, name, groups, users, level, seed)]
    )
    if providers is None:
        return Fairness(gaps, [])
    rows = provider_exposures(served, targets, users, providers, seed)
    return Fairness(gaps, rows, providers.column, gap_of(rows))


def gap_of(rows: list[ProviderExposure]) -> float:
    """Return the share of exposure that would have to move to other providers to be as relevance is."""
    return sum(abs(row.exposure - row.relevance) for row in rows) / 2


def _large(masks: Masks, users: Users) -> Masks:
    return {label: mask for label, mask in masks.items() if len(np.unique(users[mask])) >= MIN_USERS}


def _gaps(
    served: RankedQueries, attribute: str, groups: Masks, users: Users, level: float, seed: int
) -> Iterator[GroupGap]:
    """Yield the gap of each metric between the groups of one user attribute; `level` is of `least_share`."""
    labels, group = list(groups), np.full(len(users), -1)
    for number, mask in enumerate(groups.values()):
        group[mask] = number
    inside = group >= 0
    values = np.stack([metric(served.ranks[inside], PLACES) for metric in METRICS.values()], axis=1)
    group, numbers = group[inside], np.unique(users[inside], return_inverse=True)[1]
    members = [group == number for number in range(len(labels))]
    means = np.stack([values[mask].mean(axis=0) for mask in members])
    resampled = np.stack(
        [
            bootstrap_means(values[mask], np.unique(numbers[mask], return_inverse=True)[1], seed + number)
            for number, mask in enumerate(members)
        ],
        axis=1,
    )
    sizes = np.array([np.count_nonzero(mask) for mask in members])
    p_values = _p_values(values, numbers, group, len(labels), seed)
    for column, metric in enumerate(METRICS):
        best, worst = int(means[:, column].argmax()), int(means[:, column].argmin())
        differences = resampled[:, best, column] - resampled[:, worst, column]
        low, high = np.quantile(differences, [LEVEL / 2, 1 - LEVEL / 2]).tolist()
        yield GroupGap(
            attribute,
            metric,
            labels[best],
            labels[worst],
            float(means[best, column]),
            float(means[worst, column]),
            low,
            high,
            _least_share(means[:, column], resampled[:, :, column], sizes, level),
            float(p_values[column]),
        )


def _least_share(
    means: AnyFloatArray, resampled: AnyFloatArray, sizes: NDArray[np.int64], level: float
) -> float:
    """Return a lower bound of the largest gap between two groups, as a share of the better one's mean.

    The logarithm of each pair's ratio is bounded from below by the distribution of the largest deviation
    of all pairs (Romano & Wolf 2005), so that the pair may be picked after looking.

    Args:
        means: [groups]
        resampled: [resamples, groups]
        sizes: [groups] queries, of which half a hit and half a miss are added: no mean is 0 (Haldane 1956).
    """
    first, second = np.nonzero(~np.eye(len(means), dtype=bool))
    logs, resampled_logs = (np.log((sizes * each + 0.5) / (sizes + 1)) for each in (means, resampled))
    ratios = logs[first] - logs[second]
    resampled_ratios = resampled_logs[:, first] - resampled_logs[:, second]
    deviations = np.maximum(resampled_ratios.std(axis=0), 1e-9)
    largest = ((resampled_ratios - ratios) / deviations).max(axis=1)
    return float(1 - np.exp(-(ratios - np.quantile(largest, 1 - level) * deviations).max()))


def _p_values(
    values: AnyFloatArray, users: Users, group: NDArray[np.int64], groups: int, seed: int
) -> AnyFloatArray:
    """Compute a permutation test per user of the largest gap between any two groups (Good 2005).

    Args:
        values: [queries, metrics]
        users: [queries] from 0.
        group: [queries] of the query's user, from 0.

    Returns:
        [metrics]
    """
    counts = np.bincount(users).astype(np.float64)
    sums = np.stack([np.bincount(users, column) for column in values.T], axis=1)
    of_user = np.zeros(len(counts), np.int64)
    of_user[users] = group

    def gaps(of_user: NDArray[np.int64]) -> AnyFloatArray:
        per_group = np.stack([np.bincount(of_user, column, groups) for column in sums.T], axis=1)
        return np.asarray(np.ptp(per_group / np.bincount(of_user, counts, groups)[:, np.newaxis], axis=0))

    observed, rng = gaps(of_user) - 1e-9, np.random.default_rng(seed)
    as_large = sum((gaps(rng.permutation(of_user)) >= observed).astype(np.int64) for _ in range(PERMUTATIONS))
    return np.asarray((1 + as_large) / (1 + PERMUTATIONS))


def _adjusted(gaps: list[GroupGap]) -> list[GroupGap]:
    if not gaps:
        return []
    from scipy.stats import false_discovery_control  # takes a second to import

    adjusted = false_discovery_control([gap.p_value for gap in gaps])
    return [replace(gap, p_value=float(p_value)) for gap, p_value in zip(gaps, adjusted, strict=True)]


def provider_exposures(
    served: RankedQueries, targets: NDArray[np.int32], users: Users, providers: Providers, seed: int
) -> list[ProviderExposure]:
    """Return a row for each provider, the most relevant first."""
    shown = served.items[:, :PLACES]
    count = len(providers.names)
    discounts = 1 / np.log2(np.arange(2, shown.shape[1] + 2))
    weights = (shown >= 0) * discounts
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    of_shown = np.where(shown >= 0, providers.of_item[shown], count)  # one more column, for no item
    exposed, queries = np.zeros((len(shown), count + 1)), np.arange(len(shown))
    for place in range(shown.shape[1]):
        np.add.at(exposed, (queries, of_shown[:, place]), weights[:, place])
    exposed = exposed[:, :count]
    exposed *= len(shown) / max(exposed.sum(), 1e-9)  # an empty answer exposes nobody
    chosen = np.eye(count)[providers.of_item[targets]]
    bounds = _ratio_bounds(exposed, chosen, users, providers.named, seed)
    first = np.bincount(of_shown[:, 0], minlength=count + 1)[:count]
    items = np.bincount(providers.of_item, minlength=count)
    rows = [
        ProviderExposure(
            name,
            int(items[at]),
            float(items[at] / items.sum()),
            float(chosen[:, at].mean()),
            float(exposed[:, at].mean()),
            float(first[at] / max(first.sum(), 1)),
            *bounds[at],
        )
        for at, name in enumerate(providers.names)
    ]
    return sorted(rows, key=lambda row: -row.relevance)


def _ratio_bounds(
    exposed: AnyFloatArray, chosen: AnyFloatArray, users: Users, named: int, seed: int
) -> list[tuple[float, float] | tuple[None, None]]:
    """Return the bounds of exposed / chosen [queries, providers] for each provider."""
    bounds: list[tuple[float, float] | tuple[None, None]] = [(None, None)] * exposed.shape[1]
    judged = [at for at in range(named) if len(np.unique(users[np.flatnonzero(chosen[:, at])])) >= MIN_USERS]
    if not judged:
        return bounds
    # With MIN_USERS users who chose it, a resample without a choice has a probability below exp(−MIN_USERS).
    values = np.concatenate([exposed[:, judged], chosen[:, judged]], axis=1)
    ours, theirs = np.split(bootstrap_means(values, users, seed, RESAMPLES), 2, axis=1)
    tail = LEVEL / 2 / len(judged)
    for at, ratios in zip(judged, (ours / theirs).T, strict=True):
        low, high = np.quantile(ratios, [tail, 1 - tail]).tolist()
        bounds[at] = low, high
    return bounds
