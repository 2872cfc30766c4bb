"""Quantiles of times are those of NumPy, exact to the microsecond."""

from fractions import Fraction

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from components.build_features.time_quantiles import percentiles
from tests.compute import examples, table

HOUR = 3_600_000_000
times = st.integers(0, 3).flatmap(lambda hour: st.integers(0, 20).map(lambda at: hour * HOUR + at))


def expected(micros: list[int], number: int) -> int:
    """Interpolate between the two nearest ranks, without floats."""
    ordered = sorted(micros)
    rank, rest = divmod(Fraction(len(ordered) - 1) * number / 100, 1)
    low, high = ordered[int(rank)], ordered[min(int(rank) + 1, len(ordered) - 1)]
    return int((low + (high - low) * rest) // 1)


@settings(max_examples=examples(25), deadline=None)
@given(st.lists(times, min_size=1, max_size=30), st.sampled_from([0, 1_700_000_000_000_001, -5 * HOUR]))
def test_quantiles_are_interpolated_exactly(offsets: list[int], start: int) -> None:
    micros = [start + offset for offset in offsets]
    rows = table(pa.table({"micros": micros}))
    assert percentiles(rows, 80, 81, 90) == [expected(micros, number) for number in (80, 81, 90)]


def test_no_rows_have_no_quantiles() -> None:
    assert percentiles(table(pa.table({"micros": pa.array([], pa.int64())})), 80, 81, 90) == []
