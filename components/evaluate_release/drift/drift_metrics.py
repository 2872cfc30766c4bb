"""Interest drift: how many interactions the answer needs until it follows a user to another taste.

Users whose history is of one taste choose items of another, one that is new to them. After some of these
every model is asked for ten items: how many are of the new taste, and is what the user chooses next among
them. A list follows when at least half of its items are of the new taste.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from components.evaluate_release.data.ranked_queries import RankedQueries
from components.evaluate_release.drift.interest_shifts import STEPS, InterestShift
from components.evaluate_release.drift.item_groups import ItemGroups
from components.evaluate_release.metrics.accuracy import hit_rate

K: Final = 10
FOLLOWING: Final = 0.5
# Fewer users say too little.
ENOUGH: Final = 10

Shares = NDArray[np.float64]


@dataclass(frozen=True)
class ModelDrift:
    """How one model followed; lists run over STEPS."""

    share: list[float]  # of the ten that is of the new taste, the mean over users
    hit_rate: list[float]  # users whose next choice was among the ten
    interactions_to_follow: int | None  # after so many, half of the users' lists had followed
    followed: float  # share of the users whose list ever did


@dataclass(frozen=True)
class DriftMetrics:
    """What one kind of users showed."""

    users: int
    left_out: int  # users whose ten were half of the new taste before the switch, by some model
    base_rate: float  # of all interactions those of the new taste, the mean over users
    pairs: dict[str, int]  # "old → new" -> users
    models: dict[str, ModelDrift]


@dataclass(frozen=True)
class DriftResults:
    """By kind of users, "real" and "simulated"; `why` one is missing, or all are, in a sentence."""

    tastes: str = ""  # "categories" or "clusters"
    kinds: dict[str, DriftMetrics] = field(default_factory=dict)
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"steps": list(STEPS), **asdict(self)}

    @property
    def figures(self) -> dict[str, float]:
        """Flat: model -> interactions to follow, of real users where they were measured; those that did."""
        drift = self.kinds.get("real") or self.kinds.get("simulated")
        models = drift.models if drift else {}
        told = {name: following.interactions_to_follow for name, following in models.items()}
        return {name: float(count) for name, count in told.items() if count is not None}


def measure(
    switches: list[InterestShift], tastes: ItemGroups, models: dict[str, RankedQueries]
) -> DriftMetrics | None:
    """What the models' answers to `switches.as_queries` show; None where fewer than ENOUGH users are left."""
    new = np.array([switch.new for switch in switches], np.intp)
    shares = {name: shares_of(answered.items, tastes.members[new]) for name, answered in models.items()}
    kept = np.all([share[0] < FOLLOWING for share in shares.values()], axis=0)
    if np.count_nonzero(kept) < ENOUGH:
        return None
    pairs = [
        f"{tastes.names[switch.old]} → {tastes.names[switch.new]}"
        for switch, is_kept in zip(switches, kept, strict=True)
        if is_kept
    ]
    return DriftMetrics(
        users=len(pairs),
        left_out=len(switches) - len(pairs),
        base_rate=float(tastes.base[new[kept]].mean()),
        pairs={pair: pairs.count(pair) for pair in sorted(set(pairs))},
        models={
            name: following(shares[name][:, kept], hits_of(answered.ranks)[:, kept])
            for name, answered in models.items()
        },
    )


def following(shares: Shares, hits: Shares) -> ModelDrift:
    """Of one model; shares, hits: [STEPS, users]."""
    needed = np.sort(interactions_to_follow(shares))
    middle = needed[(len(needed) - 1) // 2]
    return ModelDrift(
        share=shares.mean(axis=1).tolist(),
        hit_rate=hits.mean(axis=1).tolist(),
        interactions_to_follow=int(middle) if np.isfinite(middle) else None,
        followed=float(np.isfinite(needed).mean()),
    )


def interactions_to_follow(shares: Shares) -> Shares:
    """[users] the first of STEPS after the switch at which the list follows, inf where it never does.

    shares: [STEPS, users].
    """
    follows = shares[1:] >= FOLLOWING
    first = np.asarray(STEPS[1:], np.float64)[follows.argmax(axis=0)]
    return np.where(follows.any(axis=0), first, np.inf)


def shares_of(items: NDArray[np.integer[Any]], members: NDArray[np.bool_]) -> Shares:
    """[STEPS, users] the share of the first ten that is of the new taste.

    Args:
        items: [STEPS x users, at least ten], -1 where a list is shorter.
        members: [users, items] whether an item is of the user's new taste.
    """
    lists = items[:, :K].reshape(len(STEPS), len(members), K)
    of_taste = members[np.arange(len(members))[None, :, None], lists] & (lists >= 0)
    return np.asarray(of_taste.mean(axis=2))


def hits_of(ranks: NDArray[np.integer[Any]]) -> Shares:
    """[STEPS, users] 1 where the next choice was among the ten; ranks: [STEPS x users]."""
    return np.asarray(hit_rate(ranks, K).reshape(len(STEPS), -1))
