"""What the scenario "content" gains in diversity and costs in hits, where the truth is known."""

import numpy as np
from scipy.sparse import csr_array

from serving.ranking.diversification import arrange
from serving.ranking.scenarios import Scenario, load_scenarios

QUERIES, ITEMS, K = 400, 300, 10
CATEGORIES = 12


def measure(scenario: Scenario) -> tuple[float, float]:
    """NDCG@10 of what is chosen by a softmax over the scores, and intra-list diversity (1 − cosine).

    Each user has a favourite category whose items score higher, so the best ten are much alike.
    """
    generator = np.random.default_rng(0)
    category = generator.integers(0, CATEGORIES, ITEMS)
    content = csr_array(np.eye(CATEGORIES, dtype=np.float32)[category])
    fresh = generator.random(ITEMS) < 0.1
    items = np.arange(ITEMS, dtype=np.int32)
    gains, diversity = [], []
    for _ in range(QUERIES):
        taste = generator.normal(size=CATEGORIES)
        scores = (taste[category] + generator.normal(size=ITEMS)).astype(np.float32) * 1.5
        chosen = int(np.argmax(scores + generator.gumbel(size=ITEMS)))
        answered = arrange(scores, items, content, fresh, K, scenario).places
        rank = np.flatnonzero(answered == chosen)
        gains.append(1 / np.log2(rank[0] + 2) if len(rank) else 0.0)
        likeness = (content[answered] @ content[answered].T).toarray()
        diversity.append(1 - (likeness.sum() - K) / (K * (K - 1)))
    return float(np.mean(gains)), float(np.mean(diversity))


def test_content_makes_answers_more_diverse_at_a_small_cost_of_hits() -> None:
    plain_ndcg, plain_diversity = measure(Scenario())
    ndcg, diversity = measure(load_scenarios()["content"])
    print(
        f"NDCG@10 {plain_ndcg:.3f} → {ndcg:.3f}, intra-list diversity {plain_diversity:.3f} → {diversity:.3f}"
    )
    # 0.65 → 0.92 of diversity for 0.31 → 0.27 of NDCG@10.
    assert diversity > 1.35 * plain_diversity
    assert 0.85 * plain_ndcg < ndcg < plain_ndcg


def test_more_trade_is_more_diverse() -> None:
    diversity = [measure(Scenario(diversity=trade))[1] for trade in (0.0, 0.2, 0.6)]
    assert diversity == sorted(set(diversity))
