"""What sound interactions look like: Great Expectations suites built from the contract.

Two suites. *interactions* looks at each row; a row that fails a critical expectation is set aside. *snapshot*
looks at one row of figures about the whole; when a critical one fails there is nothing to go on with.
Warnings are only told.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import great_expectations.expectations as gxe
import pyarrow as pa
from great_expectations import ExpectationSuite
from great_expectations.expectations.expectation import Expectation

from feature_repo.contract import INTERACTIONS

# The same ids that the service takes (serving.api.validation).
TEXT: Final = r"^[^\x00-\x1f\x7f]{1,256}\Z"
NO_TEXT: Final = "not 1 to 256 characters, none of them a control character"

# Larger ones would lose their sense in the model's float32.
MAX_VALUE: Final = 1e12

# Before the Web there was nothing to click: what lies earlier is a zero, or a unit misread.
EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)

# The clocks of those who record may be ahead by as much.
CLOCK_SKEW: Final = timedelta(minutes=5)

# The set is open: another type is told about, and kept.
EVENT_TYPES: Final = frozenset(
    {
        *("view", "impression", "click", "search", "play", "skip", "follow", "save", "share", "comment"),
        *("like", "dislike", "rate", "cart", "wishlist", "purchase"),
    }
)

# What is ingested stays ingested, so a snapshot that shrank has lost something.
LEAST_GROWTH: Final = 0.9
MOST_GROWTH: Final = 10.0

# Of the items and users that interactions name, so many should stand in the tables that describe them.
LEAST_DESCRIBED: Final = 0.95


def interactions_suite(as_of: int) -> ExpectationSuite:
    """Expectations of each row, for columns of the contract and those that `rows.frames` adds.

    Args:
        as_of: the moment of the run, µs since the epoch.
    """
    expectations: list[Expectation] = []
    for field in INTERACTIONS:
        if not field.nullable:
            expectations.append(_expect(gxe.ExpectColumnValuesToNotBeNull, field.name, "missing"))
        if pa.types.is_string(field.type):
            expectations.append(_expect(gxe.ExpectColumnValuesToMatchRegex, field.name, NO_TEXT, regex=TEXT))
    latest = datetime.fromtimestamp(as_of / 1_000_000, UTC) + CLOCK_SKEW
    between = gxe.ExpectColumnValuesToBeBetween
    in_set = gxe.ExpectColumnValuesToBeInSet
    expectations += [
        _expect(between, "interaction_id copies", "given to several interactions", max_value=1),
        _expect(in_set, "item_id known", "unknown to the items", value_set=[True]),
        _expect(in_set, "user_id known", "unknown to the users", value_set=[True]),
        _expect(between, "value", "not a number within ±1e12", min_value=-MAX_VALUE, max_value=MAX_VALUE),
        _expect(between, "timestamp", f"before {EARLIEST:%Y-%m-%d}", min_value=EARLIEST),
        _expect(between, "timestamp", "after the run began", max_value=latest),
        _expect(
            in_set,
            "event_type",
            "not among the usual types",
            severity="warning",
            value_set=sorted(EVENT_TYPES),
        ),
    ]
    return ExpectationSuite(name="interactions", expectations=expectations)


def snapshot_suite() -> ExpectationSuite:
    """Expectations of the figures of `figures.of_snapshot`."""
    between = gxe.ExpectColumnValuesToBeBetween
    types = [
        _expect(
            gxe.ExpectColumnValuesToBeInSet,
            f"type of {field.name}",
            "of another type than the contract's",
            value_set=[str(field.type)],
        )
        for field in INTERACTIONS
    ]
    figures = [
        _expect(between, "rows", "empty", min_value=1),
        _expect(between, "growth since the last run", "shrunk", min_value=LEAST_GROWTH),
        _expect(
            between, "growth since the last run", "grown a lot", severity="warning", max_value=MOST_GROWTH
        ),
        *(
            _expect(between, f"described {table}", "few", severity="warning", min_value=LEAST_DESCRIBED)
            for table in ("items", "users")
        ),
    ]
    return ExpectationSuite(name="snapshot", expectations=types + figures)


def _expect(
    kind: type[Expectation], column: str, reason: str, severity: str = "critical", **bounds: Any
) -> Expectation:
    """`reason` says in a few words what is wrong with a value that fails."""
    return kind(column=column, meta={"reason": reason}, severity=severity, **bounds)
