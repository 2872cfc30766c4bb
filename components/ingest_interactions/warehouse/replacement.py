"""Finds the parts that a new part replaces, and refuses one that would take away rows by mistake."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from duckdb import DuckDBPyConnection

from components.errors import StepError
from components.ingest_interactions.duckdb_session import quote
from components.ingest_interactions.warehouse.manifest import KEYS, Warehouse
from components.ingest_interactions.warehouse.parts import LOG, UNNAMED, Part
from feature_repo.counts import counted

# Share of the old rows that new content of the same source has again.
MIN_KEPT: Final = 0.5

# Rows of a source, or of a snapshot, divided by those it had before; fewer are a sign of a cut file.
MIN_GROWTH: Final = 0.9

# A row that was corrected in one of three columns still has the other two.
WHOLE: Final = (("user_id", "item_id", "timestamp"),)
CORRECTED: Final = (("user_id", "item_id"), ("user_id", "timestamp"), ("item_id", "timestamp"))


@dataclass(frozen=True)
class Replacement:
    """The parts that a new part replaces.

    Args:
        added: rows whose id is new.
        withdrawn: old rows whose id the new part lacks.
        earlier: those of them that are older than every row of the new part.
    """

    parts: list[Part]
    added: int = 0
    withdrawn: int = 0
    earlier: int = 0

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)


def find_replacement(
    connection: DuckDBPyConnection, store: Warehouse, part: Part, is_named: bool, accept_smaller: bool
) -> Replacement:
    """Find the parts of the same source, of the same content, and unnamed ones with the same rows.

    Args:
        is_named: the user gave the source its name, so another folder does not matter.
        accept_smaller: whether new interactions may be much fewer than the old ones.

    Raises:
        StepError: the content does not belong to the source of this name, has much fewer rows, or its ids
            belong to other rows.
    """
    comparison = Comparison(connection, store, part)
    own = store.listed(part.table, part.source)
    if own and own[-1].digest != part.digest:
        moved = not is_named and _folder(own[-1]) not in ("", _folder(part))
        if not comparison.has_again(own, moved):
            raise comparison.other_content(own)
        if part.table == "interactions" and not accept_smaller:
            _check_size(part, own)
    others = [old for old in store.listed(part.table) if old not in own]
    replaced = own + [
        old
        for old in others
        if old.digest == part.digest or (old.source.startswith(UNNAMED) and comparison.has_again([old], True))
    ]
    if part.table == "interactions":
        # The log is left out: anyone can record an id that a file has later.
        comparison.check_ids([old for old in others if old not in replaced and old.source != LOG])
    return comparison.replacement(replaced)


def _check_size(part: Part, own: list[Part]) -> None:
    rows = sum(old.rows for old in own)
    if part.rows < MIN_GROWTH * rows:
        raise StepError(
            f"{part.source}: {part.location} has {counted(part.rows, 'interaction')}, and would replace "
            f"{rows:,}; expected at least {MIN_GROWTH:.0%} of them. If the file was cut off, give the whole "
            "one. If rows were removed on purpose, run again with --accept-smaller"
        )


class Comparison:
    """Compares a new part with old ones."""

    def __init__(self, connection: DuckDBPyConnection, store: Warehouse, part: Part) -> None:
        self._connection, self._store, self._part = connection, store, part
        self._new = self._scan([part])

    def has_again(self, old: list[Part], moved: bool) -> bool:
        """Return whether the new part has at least half of the old rows, so that it isn't about further rows.

        Interactions are compared by two of user, item and time, because the third may be corrected; if the
        file moved to another folder, by all three. Content that begins after the old one has further rows,
        unless they have the old ids, users and items: then their times were corrected.
        """
        scan, least = self._scan(old), MIN_KEPT * sum(part.rows for part in old)
        if self._part.table != "interactions":
            return self._common(scan, (KEYS[self._part.table],)) >= least
        if self._begins_after(scan):
            return self._common(scan, ("interaction_id", "user_id", "item_id")) >= least
        return any(self._common(scan, columns) >= least for columns in (WHOLE if moved else CORRECTED))

    def replacement(self, parts: list[Part]) -> Replacement:
        """Count what changes by the ids."""
        if not parts:
            return Replacement(parts)
        old, key = self._scan(parts), KEYS[self._part.table]
        gone = f"{old} AS old ANTI JOIN {self._new} AS new USING ({key})"
        earlier = 0
        if self._part.table == "interactions":
            first = f'(SELECT min("timestamp") FROM {self._new})'
            earlier = self._count(f'(SELECT * FROM {gone} WHERE "timestamp" < {first})')
        added = self._count(f"{self._new} AS new ANTI JOIN {old} AS old USING ({key})")
        return Replacement(parts, added, self._count(gone), earlier)

    def check_ids(self, others: Iterable[Part]) -> None:
        """Refuse interaction ids that mostly belong to other interactions already.

        Raises:
            StepError: more than half of the ids that are known have another user and another item.
        """
        scan = self._scan(list(others))
        if not scan:
            return
        both = f"{self._new} AS new JOIN {scan} AS old USING (interaction_id)"
        differ = "new.user_id IS DISTINCT FROM old.user_id AND new.item_id IS DISTINCT FROM old.item_id"
        ((known, other, example),) = self._connection.execute(
            f"SELECT count(*), count(*) FILTER ({differ}), min(interaction_id) FILTER ({differ}) FROM {both}"
        ).fetchall()
        if 2 * other > known:
            raise StepError(
                f"{self._part.source}: interaction_id {example!r} belongs to another user and item in an "
                f"earlier source, like {other:,} of the {known:,} ids that both have; expected ids that are "
                "unique in all sources. If the column only counts rows, leave it out: --columns NAME=, with "
                "its name in the file"
            )

    def other_content(self, old: list[Part]) -> StepError:
        """Return the error for content that doesn't belong to the source of the old parts."""
        part, rows = self._part, sum(part.rows for part in old)
        place = f" from {old[-1].location}" if _folder(old[-1]) not in ("", _folder(part)) else ""
        return StepError(
            f"{part.source}: the source of this name has {rows:,} {part.table}{place}, and most of them are "
            f"not in {part.location}. New content of a source replaces its rows. If these are further rows, "
            "name their source: --source NAME. If they replace the old ones, withdraw those first: penchant "
            f"data retract --source {shlex.quote(part.source)}"
        )

    def _scan(self, parts: list[Part]) -> str:
        return self._store.scan(parts) or ""

    def _begins_after(self, old: str) -> bool:
        query = f'SELECT (SELECT min("timestamp") FROM {self._new}) > (SELECT max("timestamp") FROM {old})'
        return bool(self._connection.execute(query).fetchall()[0][0])

    def _common(self, old: str, columns: tuple[str, ...]) -> int:
        # Searches have no item.
        equal = (f"old.{quote(column)} IS NOT DISTINCT FROM new.{quote(column)}" for column in columns)
        return self._count(f"{old} AS old SEMI JOIN {self._new} AS new ON {' AND '.join(equal)}")

    def _count(self, rows: str) -> int:
        return int(self._connection.execute(f"SELECT count(*) FROM {rows}").fetchall()[0][0])


def _folder(part: Part) -> str:
    return str(PurePosixPath(part.location).parent) if part.location else ""
