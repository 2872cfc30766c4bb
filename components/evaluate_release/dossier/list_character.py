"""What the recommended lists are like, apart from accuracy: coverage, novelty and popularity bias."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.evaluate_release.dossier.held_out_answers import Ranks
from components.metrics import list_metrics


@dataclass(frozen=True)
class ListCharacter:
    """Of all lists of one model together; comparable between models on the same queries only."""

    coverage: float  # share of the catalog that is in at least one list
    gini: float  # of exposure: 0 if all items are shown equally often, near 1 if one item has all places
    novelty: float  # bits: mean -log2 of an item's share of all interactions
    popularity_rank: float  # mean over all recommended items; 1 is the most popular item of the catalog


def list_character(lists: Ranks, interactions: NDArray[np.int64]) -> ListCharacter:
    """Describe lists.

    Args:
        lists: [queries, k] item indexes, -1 for none.
        interactions: [items] the number of interactions of each item.
    """
    n_items = len(interactions)
    rank = np.empty(n_items)
    rank[np.argsort(-interactions, kind="stable")] = np.arange(1, n_items + 1)
    return ListCharacter(
        coverage=list_metrics.catalog_coverage(lists, n_items),
        gini=list_metrics.gini(list_metrics.exposure(lists, n_items)),
        novelty=float(np.nanmean(list_metrics.novelty(lists, interactions.astype(np.float64)))),
        popularity_rank=float(rank[lists[lists >= 0]].mean()),
    )
