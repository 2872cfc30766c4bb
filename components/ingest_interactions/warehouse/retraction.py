"""Withdraws a source, or interactions that meet conditions, from the warehouse; and takes that back."""

import time
from collections.abc import Sequence
from dataclasses import replace

from components.errors import StepError
from components.ingest_interactions.duckdb_session import connect
from components.ingest_interactions.warehouse.manifest import Warehouse
from components.ingest_interactions.warehouse.parts import LOG, Part, Retraction
from components.ingest_interactions.warehouse.retracted_rows import retracted_sql
from feature_repo.pseudonyms import Pseudonyms, check_value


def check_key(warehouse: str, pseudonyms: Pseudonyms | None) -> None:
    """Check that the user ids of conditions are those of the warehouse.

    Raises:
        StepError: the warehouse was made with another pseudonym key, or without one.
    """
    Warehouse(warehouse).use_key(check_value(pseudonyms))


def retract(warehouse: str, source: str, conditions: Sequence[str]) -> Retraction:
    """Withdraw rows; the next snapshot is without them.

    A source without conditions is withdrawn with all its tables; given again, its file is ingested again.
    Interactions that meet all conditions are withdrawn, and stay out when a file brings them again. Later
    interactions are not concerned.

    Args:
        source: its name, "" for all sources.
        conditions: such as "user_id=7".

    Raises:
        StepError: the source is unknown, a condition is invalid, or no row is concerned.
    """
    store = Warehouse(warehouse)
    if not source and not conditions:
        raise StepError("expected --source NAME, --where CONDITION, or both (`penchant data list`)")
    if not store.listed(source=source):
        names = ", ".join(dict.fromkeys(part.source for part in store.listed())) or "none"
        raise StepError(f"unknown source {source!r}; the warehouse {store.root} has: {names}")
    retraction = Retraction(
        number=max((known.number for known in store.watermarks.retractions), default=0) + 1,
        source=source,
        conditions=list(conditions),
        at=time.time_ns() // 1000,
        rows=0,
    )
    rows = _withdraw_rows(store, retraction) if conditions else _withdraw_source(store, source)
    retraction = replace(retraction, rows=rows)
    store.watermarks.retractions.append(retraction)
    if all(part.source == LOG for part in store.listed()):
        store.watermarks.catalog = ""
    store.commit()
    return retraction


def undo(warehouse: str, number: int) -> list[str]:
    """Take a retraction with conditions back; return the sources whose rows return when they are given again.

    Raises:
        StepError: there is no such retraction with conditions.
    """
    store = Warehouse(warehouse)
    marks = store.watermarks
    found = next((known for known in marks.retractions if known.number == number and known.is_rule), None)
    if found is None:
        numbers = [str(known.number) for known in marks.retractions if known.is_rule]
        raise StepError(
            f"retraction {number} can't be taken back; expected one with conditions "
            f"({', '.join(numbers) or 'there is none'}). A source that was withdrawn as a whole comes back "
            "when its file is given again"
        )
    marks.retractions.remove(found)
    concerned = store.listed(source=found.source)
    # Without its digest the same content is read again.
    marks.parts = [replace(part, digest="") if part in concerned else part for part in marks.parts]
    if found.source in ("", LOG):
        marks.log = {}  # the next run reads the log from its beginning
    store.commit()
    return list(dict.fromkeys(part.source for part in concerned if part.source != LOG))


def _withdraw_source(store: Warehouse, source: str) -> int:
    parts = store.listed(source=source)
    store.remove(parts)
    rows = sum(part.rows for part in parts)
    store.watermarks.withdrawn += sum(part.rows for part in parts if part.table == "interactions")
    return rows


def _withdraw_rows(store: Warehouse, retraction: Retraction) -> int:
    """Write the parts that have rows to withdraw anew, without these."""
    concerns = retracted_sql(retraction)
    total = 0
    with connect(store.filesystem) as connection:
        for part in store.listed("interactions", retraction.source):
            scan = _scan(store, part)
            query = f"SELECT count(*) FROM {scan} WHERE {concerns}"
            ((rows,),) = connection.execute(query).fetchall()
            if rows:
                store.rewrite(connection, part, f"SELECT * FROM {scan} WHERE NOT coalesce({concerns}, false)")
            total += rows
    if not total:
        where = " and ".join(retraction.conditions)
        raise StepError(f"no interaction meets {where}; nothing was withdrawn")
    store.watermarks.withdrawn += total
    return total


def _scan(store: Warehouse, part: Part) -> str:
    return store.scan([part]) or ""
