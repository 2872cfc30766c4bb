"""Accuracy metrics equal those of trec_eval (by ir-measures) on random rankings."""

import ir_measures
import numpy as np
import pytest
from ir_measures import RR, P, R, Success, nDCG

from components.metrics import accuracy

QUERIES, ITEMS, RELEVANT = 200, 60, 6
THEIRS = {"recall": R, "precision": P, "hr": Success, "ndcg": nDCG, "mrr": RR}


@pytest.fixture(scope="module")
def random_rankings():
    """Scores [queries, items] without ties, and 1 to RELEVANT targets per query."""
    rng = np.random.default_rng(20261124)
    scores = np.stack([rng.permutation(ITEMS) for _ in range(QUERIES)]).astype(np.float64)
    targets = [rng.choice(ITEMS, rng.integers(1, RELEVANT + 1), replace=False) for _ in range(QUERIES)]
    return scores, targets


@pytest.fixture(scope="module")
def theirs(random_rankings):
    """(metric, k, query) -> value."""
    scores, targets = random_rankings
    qrels = {
        str(query): {str(item): 1 for item in relevant.tolist()} for query, relevant in enumerate(targets)
    }
    run = {
        str(query): {str(item): float(score) for item, score in enumerate(row)}
        for query, row in enumerate(scores)
    }
    measures = {measure @ k: (name, k) for name, measure in THEIRS.items() for k in (10, 20)}
    values = ir_measures.iter_calc(list(measures), qrels, run)
    return {(*measures[value.measure], int(value.query_id)): value.value for value in values}


@pytest.mark.parametrize("k", [10, 20])
@pytest.mark.parametrize("name", list(THEIRS))
def test_every_query_has_trec_evals_value(random_rankings, theirs, name, k) -> None:
    scores, targets = random_rankings
    ranks = np.full((QUERIES, RELEVANT), accuracy.PADDING)
    for row, own, relevant in zip(ranks, scores, targets, strict=True):
        row[: len(relevant)] = [accuracy.ranks_of(own[None], np.array([item]))[0] for item in relevant]
    ours = accuracy.ACCURACY[name](ranks, k)
    expected = [theirs[name, k, query] for query in range(QUERIES)]
    assert ours == pytest.approx(expected, abs=1e-9)
    assert 0 < ours.mean() < 1
