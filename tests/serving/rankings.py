"""Random rankings of any size, for comparison with loops and brute force."""

from typing import Any

import numpy as np
from scipy.sparse import csr_array, random_array

from serving.ranking.query import Query
from serving.release.catalog import FOREVER, Catalog
from serving.release.collaborative_filters import CollaborativeFilters
from serving.release.ranking_data import Ranking
from serving.release.user_sequences import UserSequences

CATEGORIES = ("Drama", "Comedy", "Horror", "Action")


def ranking(item_count: int, seed: int = 0, users: int = 60, blend: dict[str, Any] | None = None) -> Ranking:
    """Return a ranking with random arrays; `catalog` describes the categories, which are not random."""
    generator = np.random.default_rng(seed)

    def random_matrix(rows: int, density: float) -> csr_array:
        matrix = random_array(
            (rows, item_count), density=density, rng=generator, dtype=np.float32, format="csr"
        )
        return csr_array(matrix)

    ratings = random_matrix(users, 0.2)
    transitions = random_matrix(item_count, min(1.0, 30 / item_count))
    transitions.data /= 40
    popularity = generator.integers(0, 50, item_count).astype(np.float32)
    return Ranking(
        version=1,
        catalog=catalog(item_count),
        item_embeddings=generator.normal(size=(item_count, 8)).astype(np.float32),
        filters=CollaborativeFilters(
            transitions=transitions,
            item_cosine=random_matrix(item_count, min(1.0, 30 / item_count)),
            user_items=ratings,
            popularity=popularity,
            trend=popularity[::-1].copy(),
            ease=random_matrix(item_count, min(1.0, 30 / item_count)),
            als=generator.normal(size=(item_count, 4)).astype(np.float32),
            user_sequences=_sequences(generator, users, item_count),
        ),
        blend=blend or {},
        manifest={},
    )


def _sequences(generator: np.random.Generator, users: int, item_count: int) -> UserSequences:
    owners = np.repeat(np.arange(users), 20).astype(np.int32)
    items = generator.integers(0, item_count, len(owners)).astype(np.int32)
    return UserSequences.of(
        owners, items, np.arange(len(owners), dtype=np.int64), item_count, half_weight_us=1_000
    )


def catalog(item_count: int) -> Catalog:
    """Item i has CATEGORIES[i % 4], every third item the next one too; odd items are films, others books."""
    categories = [
        [CATEGORIES[item % 4], *([CATEGORIES[(item + 1) % 4]] if item % 3 == 0 else [])]
        for item in range(item_count)
    ]
    return Catalog(
        item_ids=[f"item-{item}" for item in range(item_count)],
        titles=[""] * item_count,
        categories=categories,
        domains=["films" if item % 2 else "books" for item in range(item_count)],
        available_from=np.zeros(item_count, np.int64),
        available_until=np.full(item_count, FOREVER),
    )


def query(ranking: Ranking, history: list[int], interest: bool = True, seed: int = 0) -> Query:
    """Return a query with a random interest, or without an interest."""
    generator = np.random.default_rng(seed)
    vector = generator.normal(size=(ranking.item_embeddings.shape[1],)).astype(np.float32)
    return Query(
        ranking,
        history=np.array(history, np.int32),
        timestamps=np.arange(len(history), dtype=np.int64),
        interest=vector if interest else None,
    )
