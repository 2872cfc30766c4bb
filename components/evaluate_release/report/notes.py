"""Notes on what the figures of an evaluation can't show."""

import numpy as np

from components.evaluate_release.blend.feature_elimination import TOLERANCE
from components.evaluate_release.metrics.metric_calculator import KS
from components.evaluate_release.report.results import EvaluationResults
from components.metrics.bootstrap import MIN_USERS


def notes(results: EvaluationResults) -> list[str]:
    """Return one sentence for each figure that means less than it seems to."""
    return [*_short_catalog(results), *_few_users(results), *_unused_interest(results)]


def _short_catalog(results: EvaluationResults) -> list[str]:
    """Say which hit rates are 1 for any order, because hardly any item is left out of the first k."""
    queries = results.test
    excluded = map(np.union1d, queries.seen, queries.disliked())
    candidates = len(results.catalog) - np.fromiter(map(len, excluded), np.int64, len(queries))
    sentences = []
    for k in KS:
        if share := float((candidates <= k).mean()):
            sentences.append(
                f"HR@{k} is trivially 1 for {share:.0%} of the test queries: at most {k} of the "
                f"{len(results.catalog):,} items are left to rank, so every order has the target in the "
                f"first {k}"
            )
    return sentences


def _few_users(results: EvaluationResults) -> list[str]:
    users = results.counts["test_users"]
    if users >= MIN_USERS:
        return []
    return [f"there are no intervals: {users:,} of at least {MIN_USERS} users have test queries"]


def _unused_interest(results: EvaluationResults) -> list[str]:
    """Say what the blend would gain by the interest model, if it does not use it."""
    blend = results.blend
    if blend["weights"][blend["features"].index("interest")] != 0:
        return []
    with_interest = blend.get("log_loss_with_interest")
    if with_interest is None:
        return ["the served ranking does not use the interest model: its scores are constant"]
    return [
        "the served ranking does not use the interest model: with it the cross-validated log loss of the "
        f"blend is {with_interest:.4f}, without it {blend['log_loss']:.4f}; a feature must lower it by more "
        f"than {TOLERANCE:.1%}"
    ]
