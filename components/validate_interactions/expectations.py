"""Great Expectations suites for interactions, built from the contract.

The suite *interactions* checks each row: a row that fails a critical expectation goes to the quarantine. The
suite *snapshot* checks one row of metrics of the whole table: a critical failure stops the run. A warning is
only reported.
"""

from datetime import UTC, datetime
from typing import Any, Final

import great_expectations.expectations as gxe
import pyarrow as pa
from great_expectations import ExpectationSuite
from great_expectations.expectations.expectation import Expectation

from components.ingest_interactions.warehouse.replacement import MIN_GROWTH
from feature_repo.bounds import CONTROL_CHARACTERS, EARLIEST_US, MAX_LEAD_US, MAX_TEXT, MAX_VALUE
from feature_repo.event_types import KNOWN
from feature_repo.feedback import FeedbackPolicy
from feature_repo.table_schemas import INTERACTIONS

TEXT: Final = rf"^[^{CONTROL_CHARACTERS}]{{1,{MAX_TEXT}}}\Z"
EXPECTED_TEXT: Final = f"1 to {MAX_TEXT} characters, none of them a control character"

EARLIEST: Final = datetime.fromtimestamp(EARLIEST_US / 1_000_000, UTC)
MAX_LEAD_S: Final = MAX_LEAD_US / 1_000_000

# Rows divided by the rows of the last run that nobody withdrew since: see also replacement.MIN_GROWTH.
MAX_GROWTH: Final = 10.0

# Share of the items (users) with any attribute besides the id.
MIN_DESCRIBED: Final = 0.95

# Columns that rows.read_doubtful adds.
ITEM_OR_WORDS: Final = "item_id, or the words of a search"
OCCURRENCES: Final = "interaction_id occurrences"
IN_ITEMS: Final = "item_id in items"
IN_USERS: Final = "user_id in users"
LEAD: Final = "seconds from the arrival to the timestamp"

# Metrics of snapshot_metrics.measure_snapshot.
ROWS: Final = "rows"
GROWTH: Final = "growth since the last run"


def type_metric(column: str) -> str:
    return f"type of {column}"


def described_metric(table: str) -> str:
    return f"described {table}"


def interactions_suite(policy: FeedbackPolicy) -> ExpectationSuite:
    """Return the expectations of each row, for the contract's columns and those that `read_doubtful` adds.

    Args:
        policy: an event type that it does not know is reported.
    """
    not_null, matches = gxe.ExpectColumnValuesToNotBeNull, gxe.ExpectColumnValuesToMatchRegex
    between, in_set = gxe.ExpectColumnValuesToBeBetween, gxe.ExpectColumnValuesToBeInSet
    expectations: list[Expectation] = []
    problem, expected = "missing", "an item, or a search with words"
    expectations.append(_expect(not_null, "item_id", problem, expected, checked=ITEM_OR_WORDS))
    for field in INTERACTIONS:
        if not field.nullable:
            expectations.append(_expect(not_null, field.name, "missing", "a value in each row"))
        if pa.types.is_string(field.type):
            problem = f"not {EXPECTED_TEXT}"
            expectations.append(_expect(matches, field.name, problem, EXPECTED_TEXT, regex=TEXT))
    expectations += [
        _expect(
            between, "interaction_id", "used by several interactions", "a unique id",
            checked=OCCURRENCES, max_value=1,
        ),
        _expect(
            in_set, "item_id", "not in the items table", "an id of the items table",
            checked=IN_ITEMS, value_set=[True],
        ),
        _expect(
            in_set, "user_id", "not in the users table", "an id of the users table",
            checked=IN_USERS, value_set=[True],
        ),
        _expect(
            between, "value", "not a number within ±1e12", "a number from -1e12 to 1e12, or nothing",
            min_value=-MAX_VALUE, max_value=MAX_VALUE,
        ),
        _expect(
            between, "timestamp", f"before {EARLIEST:%Y-%m-%d}", f"{EARLIEST:%Y-%m-%d} or later",
            min_value=EARLIEST,
        ),
        _expect(
            between, "timestamp", "in the future when it arrived",
            f"at most {MAX_LEAD_S / 60:g} minutes after the arrival of the interaction",
            checked=LEAD, max_value=MAX_LEAD_S,
        ),
    ]  # fmt: skip
    if not policy.all_positive:
        known = sorted({*KNOWN, *policy.kinds})
        problem, expected = "unknown, so it is neutral", "a known event type, or an option such as --positive"
        expectations.append(
            _expect(in_set, "event_type", problem, expected, severity="warning", value_set=known)
        )
    return ExpectationSuite(name="interactions", expectations=expectations)


def snapshot_suite() -> ExpectationSuite:
    """Return the expectations of the metrics that `snapshot_metrics.measure_snapshot` computes."""
    between, in_set = gxe.ExpectColumnValuesToBeBetween, gxe.ExpectColumnValuesToBeInSet
    types = [
        _expect(
            in_set, field.name, "of another type than in the contract", str(field.type),
            checked=type_metric(field.name), value_set=[str(field.type)],
        )
        for field in INTERACTIONS
    ]  # fmt: skip
    metrics = [
        _expect(between, ROWS, "none", "at least one", min_value=1),
        _expect(
            between, GROWTH, "rows were lost", f"at least {MIN_GROWTH:g} times the rows of the last run",
            min_value=MIN_GROWTH,
        ),
        _expect(
            between, GROWTH, "unusually many rows", f"at most {MAX_GROWTH:g} times the rows of the last run",
            severity="warning", max_value=MAX_GROWTH,
        ),
        *(
            _expect(
                between, described_metric(table), "many have no attributes",
                f"attributes for at least {MIN_DESCRIBED:.0%} of the {table}",
                severity="warning", min_value=MIN_DESCRIBED,
            )
            for table in ("items", "users")
        ),
    ]  # fmt: skip
    return ExpectationSuite(name="snapshot", expectations=types + metrics)


def _expect(
    kind: type[Expectation],
    column: str,
    problem: str,
    expected: str,
    *,
    checked: str = "",
    severity: str = "critical",
    **bounds: Any,
) -> Expectation:
    """Return an expectation of `checked` (default `column`), with the texts that describe a failure."""
    meta = {"column": column, "problem": problem, "expected": expected}
    return kind(column=checked or column, meta=meta, severity=severity, **bounds)
