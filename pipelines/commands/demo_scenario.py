"""Chooses the user and the interactions that the demo records."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import numpy as np

from feature_repo.filesystems import without_wildcards
from pipelines.errors import RunError
from serving.answers import Answer
from serving.release.catalog import Catalog
from serving.release.ranking_data import Ranking

# Long enough to show an interest, short enough that three new interactions change the answer.
TYPICAL_HISTORY: Final = 60

# Three items of a category with a smaller share of all interactions hardly show an interest in it.
MIN_SHARE: Final = 0.05


@dataclass(frozen=True)
class NewCategory:
    """A category that an answer lacks, and three items that represent it."""

    category: str
    item_ids: list[str]


def typical_user(folder: Path) -> str:
    """Return the user of a run whose history is closest to the typical length; ties by id."""
    interactions = next(folder.glob("steps/*/ingest-interactions/interactions"))
    query = "SELECT user_id FROM read_parquet(?) GROUP BY user_id ORDER BY abs(count(*) - ?), user_id LIMIT 1"
    with duckdb.connect() as connection:
        (row,) = connection.execute(query, [without_wildcards(interactions), TYPICAL_HISTORY]).fetchall()
    return str(row[0])


def absent_category(answer: Answer, ranking: Ranking) -> NewCategory:
    """Return the most cohesive category that the answer lacks.

    Cohesion is the share of the item-item cosine that stays inside the category, divided by the category's
    share of interactions. The three items with the largest cosine to their category represent it.

    Raises:
        RunError: no item has a category.
    """
    cosine, popularity = ranking.filters.item_cosine, ranking.filters.popularity
    present = {category for item in answer.recommendations for category in item.categories}
    cohesion, representatives = {}, {}
    for category, members in _members(ranking.catalog).items():
        rows = cosine[members]
        within = np.asarray(rows[:, members].sum(axis=1)).ravel()
        share = popularity[members].sum() / popularity.sum()
        if category not in present and share >= MIN_SHARE:
            cohesion[category] = within.sum() / rows.sum() / share
        representatives[category] = [members[position] for position in np.argsort(-within, kind="stable")[:3]]
    if not representatives:
        raise RunError("the demo needs items with categories: give --items with a column `categories`")
    category = max(cohesion or representatives, key=lambda name: (cohesion.get(name, 0.0), name))
    return NewCategory(category, [ranking.catalog.item_ids[index] for index in representatives[category]])


def _members(catalog: Catalog) -> dict[str, list[int]]:
    members: dict[str, list[int]] = {}
    for index, categories in enumerate(catalog.categories):
        for category in categories:
            members.setdefault(category, []).append(index)
    return members
