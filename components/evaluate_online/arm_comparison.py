"""Compares the arms of an experiment: their rates, the preference in interleaved answers, and their users."""

import math
from collections.abc import Sequence
from typing import Final

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

# Sums of events [users] and of what they are counted per, [users].
Sums = tuple[Floats, Floats]


def relative_difference(control: Sums, treatment: Sums) -> AlwaysValid | None:
    """Compare the rates of two arms; the value is the logarithm of their ratio, treatment over control.

    None with too few events or users.
    """
    rates = []
    for events, counted in (control, treatment):
        if events.sum() < MIN_EVENTS or int((counted > 0).sum()) < MIN_USERS:
            return None
        rates.append(ratio_and_variance(events, counted))
    (base, base_variance), (rate, rate_variance) = rates
    # The variance of a logarithm, by the delta method.
    variance = base_variance / base**2 + rate_variance / rate**2
    return None if variance <= 0 else compare(math.log(rate / base), variance, RELATIVE_SPREAD)


def preference(first: Floats, second: Floats) -> AlwaysValid | None:
    """Compare the clicks that count for either ranking of interleaved answers; [users] each.

    The value is from -1, all clicks count for the first one, to 1, for the second one. None with too few.
    """
    decided = first + second
    if decided.sum() < MIN_EVENTS or int((decided > 0).sum()) < MIN_USERS:
        return None
    ratio, variance = ratio_and_variance(second - first, decided)
    return None if variance <= 0 else compare(ratio, variance, PREFERENCE_SPREAD)


def sample_ratio(users: Sequence[int], expected: Sequence[float]) -> float:
    """Return the p-value of the numbers of users in the arms, by a chi-square test against the expected ones.

    The test is meant for one look; a p-value below SAMPLE_RATIO_ALPHA says that the arms lose users, or that
    something assigns them in another way (Fabijan et al. 2019).
    """
    from scipy.stats import chisquare

    return float(chisquare(users, expected).pvalue)
