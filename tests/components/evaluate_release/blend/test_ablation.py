"""The ablation of the blend's features, on queries whose ranks are obvious."""

from typing import Any

import numpy as np
import pytest

from components.evaluate_release.blend.ablation import MAX_QUERIES, ablate
from serving.ranking.blend_features import FEATURES


def blend(**weights: float) -> dict[str, Any]:
    zeros = [0.0] * len(FEATURES)
    return {
        "features": list(FEATURES),
        "weights": [weights.get(name, 0.0) for name in FEATURES],
        "means": zeros,
        "scales": [1.0] * len(FEATURES),
    }


def test_the_feature_that_decides_comes_first() -> None:
    # 30 candidates; `interest` knows the target, `popularity` is noise with a small weight.
    generator, features = np.random.default_rng(0), []
    targets = [3] * 20 + [-1] * 20
    for _ in targets:
        rows = np.zeros((30, len(FEATURES)), np.float32)
        rows[3, FEATURES.index("interest")] = 1.0
        rows[:, FEATURES.index("popularity")] = generator.normal(size=30)
        features.append(rows)
    found = ablate(features, targets, blend(interest=50.0, popularity=0.1))
    assert (found["queries"], found["ndcg_at_10"], found["hr_at_10"]) == (40, 0.5, 0.5)  # half have no target
    assert list(found["without"]) == ["interest", "popularity"]
    assert found["without"]["interest"]["ndcg_at_10"] < 0.4
    assert found["without"]["popularity"] == {"ndcg_at_10": 0.5, "hr_at_10": 0.5}


def test_queries_of_all_users_are_measured() -> None:
    # Sorted by user: the targets of the first half are no candidates, those of the second half rank first.
    rows = np.zeros((11, len(FEATURES)), np.float32)
    rows[3, FEATURES.index("interest")] = 1.0
    found = ablate([rows] * 2 * MAX_QUERIES, [-1] * MAX_QUERIES + [3] * MAX_QUERIES, blend(interest=1.0))
    assert (found["queries"], found["hr_at_10"]) == (MAX_QUERIES, 0.5)


def test_without_queries_nothing_is_measured() -> None:
    assert ablate([], [], blend(interest=1.0)) == {"queries": 0, "without": {}}


def test_ties_count_against_the_blend() -> None:
    rows = np.zeros((20, len(FEATURES)), np.float32)
    found = ablate([rows], [0], blend(interest=1.0))
    assert found["ndcg_at_10"] == pytest.approx(0)
