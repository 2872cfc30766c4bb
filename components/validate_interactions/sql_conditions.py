"""Writes a suite as SQL, so that DuckDB passes most rows and Great Expectations checks the others."""

from datetime import datetime
from typing import Any, Final

import great_expectations.expectations as gxe
from great_expectations import ExpectationSuite
from great_expectations.expectations.expectation import Expectation

from components.ingest_interactions.duckdb_session import literal, quote

_BOUNDS: Final = {"min_value": ">=", "max_value": "<="}


def passes(suite: ExpectationSuite) -> str:
    """Return SQL, never NULL, that is true only for rows that meet all expectations.

    It may be false for others that do: DuckDB orders NaN above all numbers, Great Expectations ignores it.
    A regular expression must mean the same to RE2 as to Python, so it has no class such as \\d or \\W.

    Raises:
        NotImplementedError: an expectation of another type than those of `interactions_suite`, or with strict
            bounds.
    """
    return " AND ".join(_passes(expectation) for expectation in suite.expectations)


def _passes(expectation: Expectation) -> str:
    arguments: dict[str, Any] = expectation.configuration.kwargs
    column = quote(arguments["column"])
    match expectation:
        case gxe.ExpectColumnValuesToNotBeNull():
            return f"{column} IS NOT NULL"
        case gxe.ExpectColumnValuesToMatchRegex():
            pattern = arguments["regex"].replace(r"\Z", r"\z")  # the end of the text, in DuckDB's RE2
            condition = f"regexp_matches({column}, {literal(pattern)})"
        case gxe.ExpectColumnValuesToBeInSet():
            condition = f"{column} IN ({', '.join(map(_value, arguments['value_set']))})"
        case gxe.ExpectColumnValuesToBeBetween(strict_min=False, strict_max=False):
            bounds = {name: arguments[name] for name in _BOUNDS if arguments.get(name) is not None}
            condition = " AND ".join(f"{column} {_BOUNDS[name]} {_value(bounds[name])}" for name in bounds)
        case _:
            raise NotImplementedError(f"no SQL for {expectation.expectation_type}")
    return f"({column} IS NULL OR ({condition}))"


def _value(value: Any) -> str:
    """Return the SQL of a bound or a member of a set."""
    if isinstance(value, datetime):
        return f"TIMESTAMPTZ {literal(value.isoformat())}"
    return literal(value) if isinstance(value, str) else repr(value)
