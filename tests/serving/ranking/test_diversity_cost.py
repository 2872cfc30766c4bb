"""Diversity gained and hits lost by the scenario "content", on simulated users."""

import numpy as np
from scipy.sparse import csr_array

from serving.ranking.diversification import diversify
from serving.ranking.scenarios import Scenario, load_scenarios

QUERIES, ITEMS, K = 400, 300, 10
CATEGORIES = 12


def measure(scenario: Scenario) -> tuple[float, float]:
    """Return NDCG@10 of choices from a softmax over the scores, and intra-list diversity (1 − cosine).

    Each user has a favourite category whose items score higher, so the ten best items are similar.
    """
    generator = np.random.default_rng(0)
    category = generator.integers(0, CATEGORIES, ITEMS)
    content = csr_array(np.eye(CATEGORIES, dtype=np.float32)[category])
    fresh = generator.random(ITEMS) < 0.1
    items = np.arange(ITEMS, dtype=np.int32)
    gains, diversity = [], []
    for _ in range(QUERIES):
        category_scores = generator.normal(size=CATEGORIES)
        scores = (category_scores[category] + generator.normal(size=ITEMS)).astype(np.float32) * 1.5
        chosen = int(np.argmax(scores + generator.gumbel(size=ITEMS)))
        selected = diversify(scores, items, content, fresh, K, scenario).positions
        rank = np.flatnonzero(selected == chosen)
        gains.append(1 / np.log2(rank[0] + 2) if len(rank) else 0.0)
        similarity = (content[selected] @ content[selected].T).toarray()
        diversity.append(1 - (similarity.sum() - K) / (K * (K - 1)))
    return float(np.mean(gains)), float(np.mean(diversity))


def test_content_gains_diversity_for_few_lost_hits() -> None:
    plain_ndcg, plain_diversity = measure(Scenario())
    ndcg, diversity = measure(load_scenarios()["content"])
    print(
        f"NDCG@10 {plain_ndcg:.3f} → {ndcg:.3f}, intra-list diversity {plain_diversity:.3f} → {diversity:.3f}"
    )
    # Diversity 0.65 → 0.92, NDCG@10 0.31 → 0.27.
    assert diversity > 1.35 * plain_diversity
    assert 0.85 * plain_ndcg < ndcg < plain_ndcg


def test_a_larger_diversity_of_the_scenario_gives_more_diverse_answers() -> None:
    diversity = [measure(Scenario(diversity=value))[1] for value in (0.0, 0.2, 0.6)]
    assert diversity == sorted(set(diversity))
