"""How much Gaussian noise reveals about one user, exactly.

Sums to which each user adds a vector of at most unit length, with noise of deviation 1 / μ, are μ-Gaussian
differentially private, and several of them together sqrt(Σ μ²) (Dong, Roth & Su 2019, "Gaussian Differential
Privacy"). dp-accounting converts to (ε, δ), exactly (Balle & Wang 2018, "Improving the Gaussian Mechanism").
"""

import math
from collections.abc import Iterable
from typing import Final

from dp_accounting import get_epsilon_gaussian, get_sigma_gaussian

MAX_EPSILON: Final = 100.0


def epsilon_of(mu: float, delta: float) -> float:
    """Return the least ε for a δ."""
    return float(get_epsilon_gaussian(1 / mu, delta)) if mu else 0.0


def mu_of(epsilon: float, delta: float) -> float:
    """Return the largest μ that keeps to ε and δ: the noise has the deviation 1 / μ.

    Raises:
        ValueError: ε or δ is out of range.
    """
    if not 0 < epsilon < MAX_EPSILON or not 0 < delta < 1:
        raise ValueError(
            f"expected 0 < epsilon < {MAX_EPSILON:g} and 0 < delta < 1, got {epsilon:g} and {delta:g}"
        )
    return 1 / float(get_sigma_gaussian(epsilon, delta))


def composed(mus: Iterable[float]) -> float:
    """Return the μ of several sums over the same users together, however each was chosen after the others."""
    return math.hypot(*mus)
