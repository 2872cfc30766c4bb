"""DuckDB passes a row only if Great Expectations would, and Great Expectations sees only the others."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import great_expectations.expectations as gxe
import pytest
from great_expectations import ExpectationSuite

from components.validate_interactions import judged_rows, rows
from components.validate_interactions.frame_validation import FrameValidation
from components.validate_interactions.sql_conditions import passes
from tests.components.validate_interactions.conftest import AS_OF, Snapshot

TEXTS = [
    "", None, " ", "~", "tea", "tea\n", "\ntea", "te\x00a", "\x1f", "\x7f", "\x80", "\u2028", "it's",
    "x" * 256, "x" * 257, "é" * 256, "é" * 257, "\U0001f600" * 256, "\U0001f600" * 257,
]  # fmt: skip
VALUES = [None, math.nan, math.inf, -math.inf, 0.0, 1e12, -1e12, math.nextafter(1e12, math.inf)]
TIMES = [
    None, AS_OF, AS_OF.replace(year=1), AS_OF.replace(year=2200),
    datetime(1990, 1, 1, tzinfo=UTC), datetime(1989, 12, 31, 23, 59, 59, 999_999, UTC),
    AS_OF + timedelta(minutes=5), AS_OF + timedelta(minutes=5, microseconds=1),
]  # fmt: skip
EDGES: list[tuple[str, Any]] = [
    *(
        (column, text)
        for column in ("interaction_id", "user_id", "item_id", "event_type", "domain", "query")
        for text in TEXTS
    ),
    *(("value", value) for value in VALUES),
    *(("timestamp", time) for time in TIMES),
]


@pytest.fixture
def numbers(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The row numbers that Great Expectations checks."""
    seen: list[int] = []

    class Watched(FrameValidation):
        def run(self, frame: Any) -> Any:
            seen.extend(frame.index)
            return super().run(frame)

    monkeypatch.setattr(judged_rows, "FrameValidation", Watched)
    return seen


def test_great_expectations_checks_the_first_and_the_doubtful_rows(
    snapshot: Snapshot, numbers: list[int]
) -> None:
    snapshot.rows[7]["value"] = math.inf
    snapshot.rows[9]["event_type"] = "teleport"
    assert snapshot.validate()["rows"] == 200
    assert numbers == [0, 7, 9]


def test_all_outputs_are_as_if_great_expectations_had_checked_every_row(
    snapshot: Snapshot, numbers: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for row, (column, value) in zip(snapshot.rows, EDGES, strict=False):
        row[column] = value
    counts, files = snapshot.validate(1.0), read_outputs(snapshot)
    assert 0 < counts["quarantined_rows"] <= len(numbers) < len(EDGES)
    numbers.clear()
    (snapshot.root / "warehouse" / "validation.json").unlink()
    monkeypatch.setattr(rows, "passes", lambda suite: "false")
    assert snapshot.validate(1.0) == counts
    assert numbers == list(range(200))
    assert read_outputs(snapshot) == files


@pytest.mark.parametrize("micros", [-(2**63) + 2, -9_222_000_000_000_000_000, 2**63 - 2])
def test_a_time_at_the_ends_of_the_range_is_set_aside(snapshot: Snapshot, micros: int) -> None:
    snapshot.rows[7]["timestamp"] = micros
    counts = snapshot.validate()
    assert (counts["valid_rows"], counts["quarantined_rows"]) == (199, 1)


def read_outputs(snapshot: Snapshot) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (snapshot.root / "out").iterdir()}


@pytest.mark.parametrize(
    "expectation",
    [
        gxe.ExpectColumnToExist(column="user_id"),
        gxe.ExpectColumnValuesToBeBetween(column="value", max_value=1, strict_max=True),
    ],
)
def test_an_expectation_without_sql_is_refused(expectation: gxe.ExpectColumnToExist) -> None:
    with pytest.raises(NotImplementedError, match=f"no SQL for {expectation.expectation_type}"):
        passes(ExpectationSuite(name="other", expectations=[expectation]))
