"""The number of held-out queries that are built and evaluated."""

from typing import Final

# Of a split. Above this, queries are sampled: the intervals are narrow enough. Each query has a history of
# its own, so features, training set and evaluation would take most of their time and memory for queries.
MAX_QUERIES: Final = 20_000
