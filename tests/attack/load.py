"""Measures ordinary calls while an attack runs."""

import time
from dataclasses import dataclass
from statistics import quantiles

from serving.client import Recommender
from serving.errors import PenchantError


@dataclass(frozen=True)
class OrdinaryCalls:
    """The outcome of ordinary calls."""

    answered: float  # share of the calls
    p90_ms: float  # of those that were answered


def ordinary_calls(address: str, token: str, count: int, deadline_s: float) -> OrdinaryCalls:
    """Ask for recommendations `count` times, one after the other."""
    times = []
    with Recommender(address, deadline_s, token=token) as client:
        for _ in range(count):
            began = time.perf_counter()
            try:
                client.recommend("u", k=5)
            except PenchantError:
                time.sleep(0.01)
            else:
                times.append(1000 * (time.perf_counter() - began))
    p90_ms = quantiles(times, n=10)[-1] if len(times) > 1 else float("inf")
    return OrdinaryCalls(len(times) / count, p90_ms)
