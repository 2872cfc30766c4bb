"""Quantiles of times, exact to the microsecond and equal on every engine."""

import ibis
import ibis.expr.types as ir
import numpy as np

from components.compute.engine import fetch

_HOUR = 3_600_000_000  # µs


def percentiles(times: ir.Table, *numbers: int) -> list[int]:
    """Return the quantiles n/100 of the column `micros`, rounded down; nothing if there are no rows.

    Between two ranks they are interpolated, as by NumPy's default method. An engine's own quantile is a
    float, which may differ by a microsecond. Fetched are the numbers of rows by hour, then two rows.
    """
    hours = times.mutate(hour=times.micros // _HOUR)
    counts = fetch(hours.group_by("hour").agg(rows=hours.count()).order_by("hour"))
    ends = np.cumsum(counts["rows"].to_numpy())
    return [_percentile(hours, counts["hour"].to_numpy(), ends, number) for number in numbers if len(ends)]


def _percentile(hours: ir.Table, names: np.ndarray, ends: np.ndarray, number: int) -> int:
    rank, rest = divmod((int(ends[-1]) - 1) * number, 100)
    first, last = np.searchsorted(ends, [rank, min(rank + 1, int(ends[-1]) - 1)], side="right")
    before = int(ends[first - 1]) if first else 0
    span = hours.filter(hours.hour.between(int(names[first]), int(names[last])))
    ranked = span.select("micros", rank=before + ibis.row_number().over(order_by=span.micros))
    rows = fetch(ranked.filter(ranked["rank"].isin([rank, rank + 1])).order_by("rank"))
    low, high = (rows["micros"][at].as_py() for at in (0, -1))
    return int(low + (high - low) * rest // 100)
