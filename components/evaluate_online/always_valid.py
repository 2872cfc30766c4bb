"""Intervals and p-values of a difference that hold however often, and whenever, one looks at them.

The mixture sequential probability ratio test (mSPRT): the difference is compared with differences drawn from
a normal distribution around zero (Robbins 1970; Johari, Koomen, Pekelis and Walsh 2022, "Always valid
inference"). The probability that the p-value is ever below alpha, though there is no difference, is at most
alpha; the interval covers the difference at all times with 95 % probability. Both hold for means of many
independent users (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024, "Time-uniform central limit theory").
"""

import math
from dataclasses import dataclass
from typing import Final

from components.evaluate_online.ratio_intervals import Floats

ALPHA: Final = 0.05


@dataclass(frozen=True)
class AlwaysValid:
    """A difference, its 95 % interval, and the p-value of no difference."""

    value: float
    low: float
    high: float
    p_value: float

    @property
    def is_certain(self) -> bool:
        return self.p_value <= ALPHA


def compare(value: float, variance: float, spread: float) -> AlwaysValid:
    """Test an estimate of a difference.

    Args:
        variance: of the estimate.
        spread: the standard deviation of plausible differences, chosen before the data are seen: the test is
            quickest for differences of about this size, and valid with any.
    """
    mixed = variance + spread**2
    log_ratio = 0.5 * math.log(variance / mixed) + value**2 * spread**2 / (2 * variance * mixed)
    width = math.sqrt(variance * mixed / spread**2 * (math.log(mixed / variance) - 2 * math.log(ALPHA)))
    return AlwaysValid(value, value - width, value + width, math.exp(-max(0.0, log_ratio)))


def ratio_and_variance(numerators: Floats, denominators: Floats) -> tuple[float, float]:
    """Return sum(numerators) / sum(denominators), and its variance over users by the delta method.

    Args:
        numerators, denominators: [users] sums over each user's, or group of users', answers.

    NaN without a denominator; the variance is 0 where the users do not differ.
    """
    below, users = float(denominators.sum()), len(denominators)
    if below == 0 or users < 2:
        return math.nan, math.nan
    ratio = float(numerators.sum()) / below
    residuals = numerators - ratio * denominators
    return ratio, float(residuals @ residuals) / below**2 * users / (users - 1)
