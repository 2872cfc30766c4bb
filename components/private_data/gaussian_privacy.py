"""How much Gaussian noise reveals about one user, exactly.

Sums to which each user adds a vector of at most unit length, with noise of deviation 1 / μ, are μ-Gaussian
differentially private, and several of them together sqrt(Σ μ²) (Dong, Roth & Su 2019, "Gaussian Differential
Privacy"). The conversion to (ε, δ) is exact (Balle & Wang 2018, "Improving the Gaussian Mechanism").
"""

import math
from collections.abc import Callable, Iterable
from typing import Final

from scipy.stats import norm

MAX_EPSILON: Final = 100.0
_MAX_MU: Final = 30.0


def delta_of(mu: float, epsilon: float) -> float:
    """Return the δ that belongs to an ε."""
    if not mu:
        return 0.0
    tail = math.exp(epsilon + norm.logcdf(-epsilon / mu - mu / 2))
    return max(float(norm.cdf(-epsilon / mu + mu / 2)) - tail, 0.0)


def epsilon_of(mu: float, delta: float) -> float:
    """Return the least ε for a δ; MAX_EPSILON if it is larger."""
    return _least(lambda epsilon: delta_of(mu, epsilon) <= delta, MAX_EPSILON)


def mu_of(epsilon: float, delta: float) -> float:
    """Return the largest μ that keeps to ε and δ: the noise has the deviation 1 / μ.

    Raises:
        ValueError: ε or δ is out of range.
    """
    if not 0 < epsilon < MAX_EPSILON or not 0 < delta < 1:
        raise ValueError(
            f"expected 0 < epsilon < {MAX_EPSILON:g} and 0 < delta < 1, got {epsilon:g} and {delta:g}"
        )
    too_large = _least(lambda mu: delta_of(mu, epsilon) > delta, _MAX_MU)
    return too_large - 1e-9


def composed(mus: Iterable[float]) -> float:
    """Return the μ of several sums over the same users together, however each was chosen after the others."""
    return math.sqrt(sum(mu * mu for mu in mus))


def _least(holds: Callable[[float], bool], high: float) -> float:
    """Return the least value up to `high` for which `holds`, which holds for all above, is true."""
    low = 0.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
