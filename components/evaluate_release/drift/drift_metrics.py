"""Metrics of interest drift: how many interactions a model needs to follow a user to a new item group.

Each user shifts from one item group to another that is new to them. At every step after the shift each model
recommends ten items. A list follows when at least half of its items are in the new group.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from components.evaluate_release.drift.interest_shifts import STEPS, InterestShift
from components.evaluate_release.drift.item_groups import ItemGroups
from components.metrics.accuracy import hit_rate
from components.metrics.ranked_queries import RankedQueries

K: Final = 10
FOLLOWING: Final = 0.5
# Results on fewer users are not reported.
MIN_USERS: Final = 10

Shares = NDArray[np.float64]


@dataclass(frozen=True)
class ModelDrift:
    """One model's metrics; the lists are parallel to STEPS."""

    share: list[float]  # the new group's share of the first ten, mean over users
    hit_rate: list[float]  # share of users whose next choice was in the first ten
    interactions_to_follow: int | None  # median over users; None if fewer than half were followed
    followed: float  # share of users whose list followed at some step


@dataclass(frozen=True)
class DriftMetrics:
    """All models' metrics on one kind of users."""

    users: int
    left_out: int  # users whose list was half of the new group before the shift, for some model
    base_rate: float  # the new group's share of all interactions, mean over users
    pairs: dict[str, int]  # "old → new" -> number of users
    models: dict[str, ModelDrift]


@dataclass(frozen=True)
class DriftResults:
    """The metrics by kind of users, "real" and "simulated"; `why` says why a kind is missing."""

    item_groups: str = ""  # "categories" or "clusters"
    kinds: dict[str, DriftMetrics] = field(default_factory=dict)
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"steps": list(STEPS), **asdict(self)}

    @property
    def interactions_to_follow(self) -> dict[str, float]:
        """Map each model that follows to its interactions to follow, on real users if they were measured."""
        metrics = self.kinds.get("real") or self.kinds.get("simulated")
        models = metrics.models if metrics else {}
        counts = {name: model.interactions_to_follow for name, model in models.items()}
        return {name: float(count) for name, count in counts.items() if count is not None}


def measure(
    shifts: list[InterestShift], groups: ItemGroups, models: dict[str, RankedQueries]
) -> DriftMetrics | None:
    """Measure the models' answers to `as_queries(shifts)`; None if fewer than MIN_USERS users are left."""
    new = np.array([shift.new for shift in shifts], np.intp)
    shares = {name: new_group_shares(answers.items, groups.members[new]) for name, answers in models.items()}
    included = np.all([share[0] < FOLLOWING for share in shares.values()], axis=0)
    if np.count_nonzero(included) < MIN_USERS:
        return None
    pairs = [
        f"{groups.names[shift.old]} → {groups.names[shift.new]}"
        for shift, is_included in zip(shifts, included, strict=True)
        if is_included
    ]
    return DriftMetrics(
        users=len(pairs),
        left_out=len(shifts) - len(pairs),
        base_rate=float(groups.base_rates[new[included]].mean()),
        pairs={pair: pairs.count(pair) for pair in sorted(set(pairs))},
        models={
            name: model_drift(shares[name][:, included], hits(answers.ranks)[:, included])
            for name, answers in models.items()
        },
    )


def model_drift(shares: Shares, hits: Shares) -> ModelDrift:
    """Aggregate one model's shares and hits [STEPS, users] over users."""
    needed = np.sort(interactions_to_follow(shares))
    median = needed[(len(needed) - 1) // 2]
    return ModelDrift(
        share=shares.mean(axis=1).tolist(),
        hit_rate=hits.mean(axis=1).tolist(),
        interactions_to_follow=int(median) if np.isfinite(median) else None,
        followed=float(np.isfinite(needed).mean()),
    )


def interactions_to_follow(shares: Shares) -> Shares:
    """Return [users] the first of STEPS after the shift at which the list follows, inf if it never does.

    shares: [STEPS, users].
    """
    follows = shares[1:] >= FOLLOWING
    first = np.asarray(STEPS[1:], np.float64)[follows.argmax(axis=0)]
    return np.where(follows.any(axis=0), first, np.inf)


def new_group_shares(items: NDArray[np.integer[Any]], members: NDArray[np.bool_]) -> Shares:
    """Return [STEPS, users] the new group's share of the first ten items.

    Args:
        items: [STEPS x users, at least ten], padded with -1.
        members: [users, items] whether an item is in the user's new group.
    """
    lists = items[:, :K].reshape(len(STEPS), len(members), K)
    in_group = members[np.arange(len(members))[None, :, None], lists] & (lists >= 0)
    return np.asarray(in_group.mean(axis=2))


def hits(ranks: NDArray[np.integer[Any]]) -> Shares:
    """Return [STEPS, users] 1 where the next choice was in the first ten; ranks: [STEPS x users]."""
    return np.asarray(hit_rate(ranks, K).reshape(len(STEPS), -1))
