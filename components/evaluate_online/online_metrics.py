"""How users receive what is shown: rates with intervals, by release, scenario, basis, place and others."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from duckdb import DuckDBPyConnection

from components.evaluate_online.ratio_intervals import ratio_intervals
from components.metrics.bootstrap import MIN_USERS

# Metric -> SQL of its numerator and denominator for one place; the metric is the ratio of their sums.
METRICS: Final = {
    "click_through_rate": ("clicked", "1"),
    "conversion_rate": ("converted", "1"),
    "dismissal_rate": ("dismissed", "1"),
    "dwell_seconds": ("dwell", "dwells"),
    "useful_share": ("useful", "judged"),
    "mean_rating": ("rating", "ratings"),
    "novelty_bits": ("coalesce(bits, 0)", "(bits IS NOT NULL)::INTEGER"),
}

# Dimension -> SQL of a place's label. A place with several sources counts for each of them.
_MAX_PLACE: Final = 10
DIMENSIONS: Final = {
    "": "''",
    "release": "release::VARCHAR",
    "scenario": "coalesce(nullif(scenario, ''), 'none')",
    "arm": "CASE WHEN experiment = '' THEN 'none' ELSE experiment || ': ' || arm END",
    "basis": "basis",
    "degraded": "CASE WHEN len(degraded) = 0 THEN 'no' ELSE 'yes' END",
    "source": "unnest(sources)",
    "place": f"CASE WHEN place > {_MAX_PLACE} THEN 'below {_MAX_PLACE}' ELSE place::VARCHAR END",
    "day": "strftime(\"timestamp\", '%Y-%m-%d')",
}


@dataclass(frozen=True)
class Measured:
    """A metric and its 95 % interval; without one, `low` and `high` are None: see `_metrics`."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class OnlineSlice:
    """The metrics of the places of one label; a metric without a denominator is missing."""

    dimension: str  # "" for all places
    label: str
    answers: int
    places: int
    users: int
    items: int  # distinct
    coverage: float | None  # share of the catalog; None if the catalog is unknown
    metrics: dict[str, Measured]


def measure(
    connection: DuckDBPyConnection, catalog_items: int | None, attributes: list[str]
) -> list[OnlineSlice]:
    """Return the metrics of `places` for each label of each dimension and of each attribute of the users.

    Reads the tables of attribution.attribute and catalog_facts.

    Args:
        catalog_items: size of the catalog; None if it is unknown.
    """
    connection.execute("CREATE VIEW measured AS FROM places LEFT JOIN novelty USING (item_id)")
    slices = []
    for dimension, label in DIMENSIONS.items():
        rows = f"SELECT *, {label} AS label FROM measured"
        slices += _measure(connection, dimension, rows, catalog_items)
    for attribute in attributes:
        rows = (
            "SELECT measured.*, label FROM measured JOIN segments USING (user_id) "
            "WHERE attribute = $attribute"
        )
        slices += _measure(connection, f"segment: {attribute}", rows, catalog_items, {"attribute": attribute})
    return slices


def _measure(
    connection: DuckDBPyConnection,
    dimension: str,
    rows: str,
    catalog_items: int | None,
    parameters: dict[str, str] | None = None,
) -> list[OnlineSlice]:
    sums = ", ".join(f"sum({part})::DOUBLE" for pair in METRICS.values() for part in pair)
    totals = connection.execute(
        f"""SELECT label, count(DISTINCT answer), count(*), count(DISTINCT person),
            count(DISTINCT item_id), {sums}
        FROM ({rows}) GROUP BY label ORDER BY min(try_cast(label AS BIGINT)), label""",
        parameters or {},
    ).fetchall()
    by_bucket: dict[str, list[tuple[float, ...]]] = {}
    for label, _, *values in connection.execute(
        f"SELECT label, bucket, {sums} FROM ({rows}) GROUP BY ALL ORDER BY label, bucket", parameters or {}
    ).fetchall():
        by_bucket.setdefault(label, []).append(tuple(values))
    return [
        OnlineSlice(
            dimension,
            label,
            answers,
            places,
            users,
            items,
            items / catalog_items if catalog_items else None,
            _metrics(np.array(values), np.array(by_bucket[label])),
        )
        for label, answers, places, users, items, *values in totals
    ]


def _metrics(
    totals: np.ndarray[tuple[int], np.dtype[np.float64]],
    by_bucket: np.ndarray[tuple[int, int], np.dtype[np.float64]],
) -> dict[str, Measured]:
    """Return the metrics of one label from sums [2 · metrics], and by bucket [buckets, 2 · metrics].

    A metric has an interval if enough buckets have what it is measured on: a rating by one user has none.
    """
    numerators, denominators = by_bucket[:, ::2], by_bucket[:, 1::2]
    low, high = ratio_intervals(numerators, denominators)
    has_interval = ((denominators > 0).sum(axis=0) >= MIN_USERS) & (low < high)
    return {
        name: Measured(
            float(totals[2 * number] / totals[2 * number + 1]),
            *((float(low[number]), float(high[number])) if has_interval[number] else ()),
        )
        for number, name in enumerate(METRICS)
        if totals[2 * number + 1] > 0
    }
