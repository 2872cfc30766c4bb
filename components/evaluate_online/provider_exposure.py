"""The share of exposure that each provider of items had over time, from what was shown.

As in the fairness of a release (components.metrics.fairness), the places of an answer are
discounted as NDCG does, and each answer has the same exposure. Users are resampled, those of a bucket
together.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from components.errors import StepError
from components.evaluate_online.online_metrics import Measured
from components.evaluate_online.ratio_intervals import bounds, resampled_ratios
from components.ingest_interactions.duckdb_session import quote
from components.ingest_interactions.warehouse.manifest import Warehouse
from components.metrics.bootstrap import MIN_USERS
from components.metrics.providers import Providers

Floats = NDArray[np.float64]

# A longer window is divided into weeks, which begin on Monday.
MAX_DAYS: Final = 21
_DAY_US: Final = 86_400_000_000
_LEVEL: Final = 0.95

_TYPES: Final = ("VARCHAR", "BIGINT", "INTEGER", "SMALLINT", "TINYINT")
_NO_PROVIDERS: Final = ("item_id", "part", "part_1", "source_row")


@dataclass(frozen=True)
class ProviderOverTime:
    """A provider's share of the catalog, of the clicks, and of the exposure, in all and by period.

    `change` is that of the share of exposure, from the first to the last period with MIN_USERS users; the
    window can cut these two. Its bounds hold for all providers together, with 95 %.
    """

    provider: str
    items: int
    catalog: float
    clicks: float | None  # None without a click
    exposure: Measured
    exposures: list[Measured]  # [periods]
    clicks_by_period: list[float | None]  # [periods]
    change: Measured | None  # None with fewer than two such periods, or if the provider was never shown


@dataclass(frozen=True)
class ExposureOverTime:
    """The providers by their share of exposure, the largest first."""

    column: str  # of the items, which names the providers
    period: str  # "day" or "week"
    starts: list[str]  # [periods] the date on which each one begins
    users: list[int]  # [periods]
    compared: tuple[int, int] | None  # the periods of `change`
    providers: list[ProviderOverTime]


def exposure_over_time(
    connection: DuckDBPyConnection, store: Warehouse, column: str, window_us: int
) -> ExposureOverTime | None:
    """Return the shares of `places`, which attribution.attribute has created; None without an items table.

    Raises:
        StepError: the items have no such column.
    """
    described = store.rows("items")
    if described is None:
        return None
    providers = _load_providers(connection, described, column)
    period = "day" if window_us <= MAX_DAYS * _DAY_US else "week"
    starts, exposed, clicked, users = _sums(connection, period, len(providers.names))
    *users, total = users
    compared = _compared(users)
    measured = _measure(exposed, [*users, total], compared)
    clicks = clicked.sum(axis=0)  # [periods, providers]
    items = np.bincount(providers.of_item, minlength=len(providers.names))
    rows = [
        ProviderOverTime(
            name,
            int(items[at]),
            float(items[at] / items.sum()),
            _share(clicks[:, at].sum(), clicks.sum()),
            *measured[at][:2],
            [_share(of_period[at], of_period.sum()) for of_period in clicks],
            measured[at][2] if measured[at][0].value else None,
        )
        for at, name in enumerate(providers.names)
    ]
    return ExposureOverTime(
        column, period, starts, users, compared, sorted(rows, key=lambda row: -row.exposure.value)
    )


def _load_providers(connection: DuckDBPyConnection, described: str, column: str) -> Providers:
    """Create the table `provided` (item_id, provider) of all described and shown items.

    Returns the providers; in the table are their positions.
    """
    usable = [
        name
        for name, kind, *_ in connection.execute(f"DESCRIBE FROM {described}").fetchall()
        if name not in _NO_PROVIDERS and kind in _TYPES
    ]
    if column not in usable:
        raise StepError(
            f"the items have no column {column!r} of text or integers that could name their provider: set "
            f"PENCHANT_PROVIDER_COLUMN to one of {', '.join(usable)}, or to nothing"
        )
    items = connection.sql(
        f"""WITH described AS (SELECT item_id, {quote(column)}::VARCHAR AS provider FROM {described})
        FROM described UNION ALL
        SELECT DISTINCT item_id, NULL FROM places ANTI JOIN described USING (item_id) ORDER BY item_id"""
    ).to_arrow_table()
    providers = Providers.of(column, items["provider"].to_pylist())
    provided = pa.table({"item_id": items["item_id"], "provider": providers.of_item})
    connection.register("provided_items", provided)
    connection.execute("CREATE TABLE provided AS FROM provided_items")
    return providers


def _sums(
    connection: DuckDBPyConnection, period: str, providers: int
) -> tuple[list[str], Floats, Floats, list[int]]:
    """Return the first days of the periods, exposure and clicks [buckets, periods, providers], and users.

    The users are those of each period, and of all together.
    """
    connection.execute(
        f"""CREATE TABLE exposed AS
        SELECT date_trunc('{period}', "timestamp") AS period, bucket, person, provider, clicked,
            weight / sum(weight) OVER (PARTITION BY answer) AS exposure
        FROM (SELECT *, 1 / log2(1 + place) AS weight FROM places JOIN provided USING (item_id))"""
    )
    *users, (_, total) = connection.execute(
        """SELECT strftime(period, '%Y-%m-%d') AS start, count(DISTINCT person)
        FROM exposed GROUP BY ROLLUP (period) ORDER BY start NULLS LAST"""
    ).fetchall()
    rows = connection.sql(
        """SELECT dense_rank() OVER (ORDER BY bucket) - 1 AS bucket,
            dense_rank() OVER (ORDER BY period) - 1 AS period, provider, exposure, clicks
        FROM (
            SELECT bucket, period, provider, sum(exposure) AS exposure, sum(clicked)::DOUBLE AS clicks
            FROM exposed GROUP BY ALL
        )"""
    ).fetchnumpy()
    sums = np.zeros((2, int(rows["bucket"].max()) + 1, len(users), providers))
    for number, name in enumerate(("exposure", "clicks")):
        sums[number][rows["bucket"], rows["period"], rows["provider"]] = rows[name]
    return [start for start, _ in users], sums[0], sums[1], [*(count for _, count in users), total]


def _compared(users: list[int]) -> tuple[int, int] | None:
    """Return the first and the last period with enough users; None if there are no two."""
    enough = [number for number, count in enumerate(users) if count >= MIN_USERS]
    return (enough[0], enough[-1]) if len(enough) > 1 else None


def _measure(
    exposed: Floats, users: list[int], compared: tuple[int, int] | None
) -> list[tuple[Measured, list[Measured], Measured | None]]:
    """Return, for each provider, the share of all exposure, that of each period, and its change.

    Args:
        exposed: [buckets, periods, providers]
        users: [periods + 1] of each period, and of all together.
    """
    buckets, periods, providers = exposed.shape
    # One more period: the whole window.
    exposed = np.concatenate([exposed, exposed.sum(axis=1, keepdims=True)], axis=1)
    whole = np.broadcast_to(exposed.sum(axis=2, keepdims=True), exposed.shape)
    flat = resampled_ratios(exposed.reshape(buckets, -1), whole.reshape(buckets, -1))
    shares = (exposed.sum(axis=0) / whole.sum(axis=0)).T  # [providers, periods + 1]
    low, high = (each.reshape(periods + 1, providers).T for each in bounds(flat))
    resampled = flat.reshape(-1, periods + 1, providers)
    has_interval = [count >= MIN_USERS for count in users]
    measured = [
        [
            Measured(float(shares[at, n]), *((float(low[at, n]), float(high[at, n])) if known else ()))
            for n, known in enumerate(has_interval)
        ]
        for at in range(providers)
    ]
    changes = _changes(shares, resampled, compared)
    return [(each[-1], each[:-1], change) for each, change in zip(measured, changes, strict=True)]


def _changes(
    shares: Floats, resampled: Floats, compared: tuple[int, int] | None
) -> list[Measured] | list[None]:
    """Return the change of each provider's share between two periods.

    The largest deviation of all providers bounds each of them (Romano and Wolf 2005), so that the one that
    changed most may be picked after looking.

    Args:
        shares: [providers, periods]
        resampled: [resamples, periods, providers]
    """
    if compared is None:
        return [None] * len(shares)
    first, last = compared
    values, drawn = shares[:, last] - shares[:, first], resampled[:, last] - resampled[:, first]
    deviations = np.maximum(np.nanstd(drawn, axis=0), 1e-12)
    reach = np.nanquantile((abs(drawn - values) / deviations).max(axis=1), _LEVEL) * deviations
    return [
        Measured(float(value), float(value - each), float(value + each))
        for value, each in zip(values, reach, strict=True)
    ]


def _share(part: float, whole: float) -> float | None:
    return float(part / whole) if whole else None
