"""Conditions on interactions that were withdrawn, such as "user_id=7" or "timestamp<2024-01-01"."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final

from components.errors import StepError
from components.ingest_interactions.duckdb_session import literal, quote
from components.ingest_interactions.warehouse.parts import Retraction
from feature_repo.pseudonyms import Pseudonyms
from feature_repo.table_schemas import INTERACTIONS

CONDITION: Final = re.compile(r"\s*(\w+)\s*(!=|<=|>=|=|<|>)\s*(.*?)\s*", re.DOTALL)
ORDERED: Final = ("timestamp", "value")


def condition_sql(text: str) -> str:
    """Return SQL for a condition on the columns of interactions, times as BIGINT µs.

    Raises:
        StepError: the text is no condition, or its value has the wrong type.
    """
    match = CONDITION.fullmatch(text)
    if not match or match[1] not in INTERACTIONS.names:
        raise StepError(
            f"--where {text}: expected COLUMN=VALUE (or !=, <, <=, >, >=) with a column of "
            f"{', '.join(INTERACTIONS.names)}; an empty value means that the cell is missing"
        )
    column, operator, value = match.groups()
    if operator not in ("=", "!=") and (column not in ORDERED or not value):
        raise StepError(f"--where {text}: only {' and '.join(ORDERED)} have an order; expected = or !=")
    if not value:
        return f"{quote(column)} IS {'NOT ' * (operator == '!=')}NULL"
    comparison = {"=": "IS NOT DISTINCT FROM", "!=": "IS DISTINCT FROM"}.get(operator, operator)
    return f"{quote(column)} {comparison} {_literal(column, value, text)}"


def with_pseudonyms(texts: Iterable[str], pseudonyms: Pseudonyms | None) -> list[str]:
    """Return conditions with pseudonyms in place of user ids, as a warehouse with a key stores them."""
    return [replace_user_id(text, pseudonyms.of) for text in texts] if pseudonyms else list(texts)


def replace_user_id(text: str, replace: Callable[[str], str]) -> str:
    """Return a condition with another id in place of a user id; other conditions stay as they are."""
    match = CONDITION.fullmatch(text)
    if not match or match[1] != "user_id" or not match[3]:
        return text
    return f"user_id{match[2]}{replace(match[3])}"


def retracted_sql(retraction: Retraction) -> str:
    """Return SQL that is true for a row that meets all conditions."""
    return " AND ".join(f"({condition_sql(text)})" for text in retraction.conditions) or "true"


def _rule_sql(retraction: Retraction) -> str:
    """Return SQL that is true for a row that arrives after the retraction and is concerned.

    Later interactions are not, unless a condition says so by its time.
    """
    columns = {match[1] for text in retraction.conditions if (match := CONDITION.fullmatch(text))}
    if "timestamp" in columns:
        return retracted_sql(retraction)
    return f'("timestamp" IS NULL OR "timestamp" <= {retraction.at}) AND {retracted_sql(retraction)}'


def without_retracted(query: str, source: str, retractions: Iterable[Retraction]) -> str:
    """Return the query without the rows of a source that were withdrawn by a rule."""
    rules = [
        f"NOT coalesce({_rule_sql(retraction)}, false)"
        for retraction in retractions
        if retraction.is_rule and retraction.source in ("", source)
    ]
    return f"SELECT * FROM ({query}) WHERE {' AND '.join(rules)}" if rules else query


def _literal(column: str, value: str, text: str) -> str:
    try:
        if column == "timestamp":
            time = datetime.fromisoformat(value)
            time = time if time.tzinfo else time.replace(tzinfo=UTC)
            return str(round(time.timestamp() * 1_000_000))
        return repr(float(value)) if column == "value" else literal(value)
    except ValueError as error:
        expected = (
            "a time such as 2024-01-31 or 2024-01-31T12:00:00Z" if column == "timestamp" else "a number"
        )
        raise StepError(f"--where {text}: {value!r} is not {expected}") from error
