"""Compares the arms of an experiment: their rates, the preference in interleaved answers, and their users."""

import math
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from components.evaluate_online.always_valid import AlwaysValid, compare, ratio_and_variance
from components.evaluate_online.ratio_intervals import Floats

# The standard deviation of plausible differences, for which the tests are quickest: of the logarithm of a
# ratio of rates, and of a preference.
RELATIVE_SPREAD: Final = 0.1
PREFERENCE_SPREAD: Final = 0.2

# With fewer events in an arm, or fewer users, sums are not yet normally distributed.
MIN_EVENTS: Final = 30
MIN_USERS: Final = 30

# A ratio of the users that is less probable than this is a fault of the experiment.
SAMPLE_RATIO_ALPHA: Final = 0.001

# Of the Dirichlet distributions of plausible wrong probabilities: from any ones to those some percent off.
_CONCENTRATIONS: Final = (1.0, 10.0, 100.0, 1_000.0)

# Sums of events and of what they are counted per, [users] or [strata, users] each.
Sums = tuple[Floats, Floats]


def relative_difference(control: Sums, treatment: Sums) -> AlwaysValid | None:
    """Compare the rates of two arms; the value is the logarithm of their ratio, treatment over control.

    The arms are compared within each stratum: those of a canary are the times between two changes of its
    share, because a busy or generous day would count more for the arm that is larger then (Simpson 1951).
    The ratios are combined with the weights of Mantel and Haenszel (1959). A user may be in several strata,
    and in both arms: the variance is that of the sum of each user's influences.

    Args:
        control, treatment: of the same users, with zeros for one who is not in the arm.

    None with too few events or users.
    """
    arms: list[Sums] = [
        (np.atleast_2d(events), np.atleast_2d(counted)) for events, counted in (control, treatment)
    ]
    for events, counted in arms:
        if events.sum() < MIN_EVENTS or int((counted.sum(axis=0) > 0).sum()) < MIN_USERS:
            return None
    in_both = np.logical_and.reduce([counted.sum(axis=1) > 0 for _, counted in arms])
    arms = [(events[in_both], counted[in_both]) for events, counted in arms]
    totals = [counted.sum(axis=1) for _, counted in arms]
    weights = totals[0] * totals[1] / (totals[0] + totals[1])
    means, influences = [], []
    for (events, counted), total in zip(arms, totals, strict=True):
        rates = events.sum(axis=1) / total
        means.append(float(weights @ rates))
        if not means[-1]:
            return None
        # Of each user on the logarithm of the weighted rate, by the delta method.
        influences.append(weights / total @ (events - rates[:, np.newaxis] * counted) / means[-1])
    influence = influences[1] - influences[0]
    users = int(sum(counted.sum(axis=0) for _, counted in arms).astype(bool).sum())
    variance = float(influence @ influence) * users / max(1, users - 1)
    return None if variance <= 0 else compare(math.log(means[1] / means[0]), variance, RELATIVE_SPREAD)


def preference(first: Floats, second: Floats) -> AlwaysValid | None:
    """Compare the clicks that count for either ranking of interleaved answers; [users] each.

    The value is from -1, all clicks count for the first one, to 1, for the second one. None with too few.
    """
    decided = first + second
    if decided.sum() < MIN_EVENTS or int((decided > 0).sum()) < MIN_USERS:
        return None
    ratio, variance = ratio_and_variance(second - first, decided)
    return None if variance <= 0 else compare(ratio, variance, PREFERENCE_SPREAD)


def sample_ratio(groups: Iterable[tuple[Sequence[int], Sequence[float]]]) -> float:
    """Return the p-value of the numbers of users in the arms; it holds at any time, and for few users.

    A p-value below SAMPLE_RATIO_ALPHA says that the arms lose users, or that something assigns them
    differently (Fabijan et al. 2019). Exact: the mean of the odds against the assignment of multinomial
    distributions that are drawn around it, closely and widely (Lindon and Malek 2022, "Anytime-valid
    inference for multinomial count data").

    Args:
        groups: of users who were assigned with the same probabilities; the users of each arm, and the
            probabilities, which are above 0 and sum to 1.
    """
    log_odds = [0.0] * len(_CONCENTRATIONS)
    for users, probabilities in groups:
        for number, concentration in enumerate(_CONCENTRATIONS):
            log_odds[number] += _log_odds(users, probabilities, concentration)
    highest = max(log_odds)
    mean = math.fsum(math.exp(each - highest) for each in log_odds) / len(log_odds)
    return math.exp(-max(0.0, highest + math.log(mean)))


def _log_odds(users: Sequence[int], probabilities: Sequence[float], concentration: float) -> float:
    """Return the logarithm of a Dirichlet-multinomial likelihood ratio."""
    terms = [math.lgamma(concentration), -math.lgamma(concentration + sum(users))]
    for count, probability in zip(users, probabilities, strict=True):
        prior = concentration * probability
        terms += [math.lgamma(prior + count), -math.lgamma(prior), -count * math.log(probability)]
    return math.fsum(terms)
