"""Off-policy evaluation: what a candidate policy would earn, estimated from what the live one showed.

A reward at a place may depend on the items down to this place, so the weight of place j is the product of the
ratios of both policies' probabilities for places 1 to j (RIPS: McInerney et al. 2020; cascade DR: Kiyohara et
al. 2022). The value is the expected sum of rewards of an answer.

- *IPS*: the weighted rewards; unbiased (Horvitz and Thompson 1952).
- *SNIPS*: divided by the sum of the weights at each place; a small bias, less variance (Swaminathan and
  Joachims 2015).
- *DR*: a reward model, corrected by the weighted errors of the model; unbiased (Dudik et al. 2011).
- *Switch-DR*: without the correction where the weight exceeds a limit (Wang, Agarwal and Dudik 2017).
- *replay*: the mean over the answers that the candidate would give in the same way, each weighted by one over
  its probability (Li et al. 2011); for a candidate that does not draw.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from components.evaluate_online.ratio_intervals import Floats, bounds, resampled_ratios
from components.metrics.bootstrap import MIN_USERS
from feature_repo.counts import counted

# With fewer effective answers an interval by bootstrap is too narrow.
MIN_EFFECTIVE: Final = 100
# The mean weight is 1 if the candidate shows nothing that the live policy could not show.
MIN_SUPPORT: Final = 0.95
SWITCH: Final = 10.0

_MORE_ANSWERS: Final = "use more answers (--days and --limit, in a run PENCHANT_OFF_POLICY_DAYS, …_ANSWERS)"


class NoSupport(ValueError):
    """The logged answers can't tell what the candidate would earn; the message says why."""


@dataclass(frozen=True, eq=False)
class LoggedAnswers:
    """Answers of the live policy, and the candidate's probabilities; places [answers, places], best first."""

    users: NDArray[np.integer[Any]]  # [answers] number of the user
    rewards: Floats
    propensities: Floats  # of the live policy for the shown item, given the items at the places before it
    candidate: Floats  # the same of the candidate
    modelled: Floats  # the reward model's reward for the shown item
    expected: Floats  # the model's mean reward of the candidate's items at this place, given those before it


@dataclass(frozen=True)
class Estimate:
    """The estimated value of an answer, and its 95 % interval."""

    method: str
    value: float
    low: float
    high: float
    difference: tuple[float, float]  # 95 % interval of the value minus the live policy's, on the same answers


@dataclass(frozen=True)
class OffPolicyEvaluation:
    """Estimates, and how many answers of the candidate's own the logged ones are worth."""

    estimates: list[Estimate]
    answers: int
    effective: float  # (sum of weights)² / sum of squared weights (Kish 1965)
    support: float  # mean weight


def evaluate_off_policy(
    logged: LoggedAnswers,
    min_effective: float = MIN_EFFECTIVE,
    min_support: float = MIN_SUPPORT,
    switch: float = SWITCH,
) -> OffPolicyEvaluation:
    """Return the estimates of all methods.

    Args:
        min_effective: answers of the candidate's own that the logged ones must be worth.
        min_support: mean weight that the upper end of its interval must reach.
        switch: largest weight that Switch-DR corrects with.

    Raises:
        NoSupport: the live policy did not draw, could not show what the candidate shows, or the effective
            sample is too small; the answers are of too few users, or nobody clicked.
        ValueError: a propensity is not in (0, 1].
    """
    _check_propensities(logged)
    _check_users(logged)
    weights = np.cumprod(logged.candidate / logged.propensities, axis=1, dtype=np.float64)
    last = weights[:, -1]
    effective = float(last.sum() ** 2 / max(float((last**2).sum()), 1e-300))
    ones: Floats = np.ones_like(weights)
    _, (highest,) = bounds(_resampled(logged, weights[:, -1:], ones[:, -1:]))
    if highest < min_support:
        raise NoSupport(
            f"the candidate would show, in about {1 - last.mean():.0%} of the answers, what the live policy "
            "could not show: explore with a larger pool and floor, or evaluate a candidate that is more alike"
        )
    if effective < min_effective:
        raise NoSupport(
            f"{len(last):,} answers are worth {effective:.0f} of the candidate, fewer than "
            f"{min_effective:g}: "
            "collect more explored answers, or evaluate a candidate that is more like the live policy"
        )
    before = np.concatenate([np.ones((len(weights), 1)), weights[:, :-1]], axis=1)
    errors = logged.rewards - logged.modelled
    corrected = before * logged.expected + weights * errors
    switched = before * logged.expected + np.where(weights <= switch, weights, 0.0) * errors
    methods = {
        "IPS": (weights * logged.rewards, ones),
        "SNIPS": (weights * logged.rewards, weights),
        "DR": (corrected, ones),
        "Switch-DR": (switched, ones),
    }
    if np.isin(logged.candidate, (0.0, 1.0)).all():
        matched = np.repeat(((last > 0) / logged.propensities.prod(axis=1))[:, None], weights.shape[1], 1)
        methods["replay"] = (matched * logged.rewards, matched)
    estimates = [_estimate(method, logged, *parts) for method, parts in methods.items()]
    return OffPolicyEvaluation(estimates, len(last), effective, float(last.mean()))


def _check_propensities(logged: LoggedAnswers) -> None:
    wrong = np.argwhere(~((logged.propensities > 0) & (logged.propensities <= 1)))
    if len(wrong):
        answer, place = wrong[0]
        raise ValueError(
            f"answer {answer}, place {place + 1}: expected a propensity above 0 and at most 1, "
            f"got {logged.propensities[answer, place]}"
        )
    if (logged.propensities == 1).all():
        raise NoSupport(
            "the live policy did not draw: each place had the probability 1, so nothing is known about other "
            "items; let a scenario explore (its key `exploration`)"
        )


def _check_users(logged: LoggedAnswers) -> None:
    answers, users = len(logged.users), len(np.unique(logged.users))
    if users < MIN_USERS:
        raise NoSupport(
            f"the explored answers are of {counted(users, 'user')}, and an interval needs {MIN_USERS}, "
            f"because users are resampled: {_MORE_ANSWERS}"
        )
    if not logged.rewards.any():
        raise NoSupport(
            f"nobody clicked an item of the {answers:,} answers, so each estimate would be 0: record clicks "
            f"with the request id of the answer, or {_MORE_ANSWERS}"
        )


def _estimate(method: str, logged: LoggedAnswers, numerators: Floats, denominators: Floats) -> Estimate:
    """Return the sum over places of sum(numerators) / sum(denominators)."""
    resampled = _resampled(logged, numerators, denominators)
    # The resamples have the same users, so that the difference is paired.
    live = _resampled(logged, logged.rewards, np.ones_like(logged.rewards))
    (low,), (high,) = bounds(resampled)
    (worst,), (best,) = bounds(resampled - live)
    value = float((numerators.sum(axis=0) / denominators.sum(axis=0)).sum())
    return Estimate(method, value, float(low), float(high), (float(worst), float(best)))


def _resampled(logged: LoggedAnswers, numerators: Floats, denominators: Floats) -> Floats:
    """Return the sum over places of the ratio of both sums in each resample of the users [resamples, 1]."""
    ratios = resampled_ratios(_by_user(numerators, logged.users), _by_user(denominators, logged.users))
    summed: Floats = ratios.sum(axis=1, keepdims=True)
    return summed


def _by_user(values: Floats, users: NDArray[np.integer[Any]]) -> Floats:
    """Return [users, places] sums over each user's answers."""
    _, numbers = np.unique(users, return_inverse=True)
    return np.stack([np.bincount(numbers, column) for column in values.T], axis=1)
