"""The warehouse: Parquet parts with all ingested rows, and the manifest `watermarks.json` that lists them.

A part that the manifest doesn't list, written by a killed run, is ignored, and the next run overwrites it. A
part that is not listed any more is deleted after the manifest was replaced. So every change is atomic, and a
repeat is harmless.
"""

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Final

from duckdb import DuckDBPyConnection

from components.errors import StepError
from components.ingest_interactions.duckdb_session import file_list, literal
from components.ingest_interactions.warehouse.erased_rows import without_erased
from components.ingest_interactions.warehouse.parts import LOG, Part, Watermarks
from components.ingest_interactions.warehouse.retracted_rows import without_retracted
from feature_repo.atomic_files import atomic_upload
from feature_repo.filesystems import locate
from feature_repo.pseudonyms import WrongPseudonymKey

WATERMARKS: Final = "watermarks.json"
KEYS: Final = {"interactions": "interaction_id", "items": "item_id", "users": "user_id"}


class Warehouse:
    """The warehouse in a directory or at an fsspec URL."""

    def __init__(self, url: str) -> None:
        self.filesystem, self.root = locate(url)
        self._content = self._read()
        self.watermarks = Watermarks.from_json(self._content) if self._content else Watermarks()

    @property
    def is_new(self) -> bool:
        """Whether there is no manifest yet."""
        return not self._content

    def listed(self, table: str = "", source: str = "") -> list[Part]:
        """Return the parts of a table and a source, oldest first; "" for all."""
        return [
            part
            for part in self.watermarks.parts
            if table in ("", part.table) and source in ("", part.source)
        ]

    def url(self, path: str) -> str:
        """Return the full URL of a path in the warehouse, for DuckDB."""
        url: str = self.filesystem.unstrip_protocol(f"{self.root}/{path}")
        return url.removeprefix("file://")

    def scan(self, parts: Iterable[Part]) -> str | None:
        """Return SQL that scans parts; None when there are none."""
        listed = list(parts)
        if not listed:
            return None
        scan = f"read_parquet({file_list(self.url(part.path) for part in listed)}, union_by_name = true)"
        # Parts of earlier versions lack this column.
        with_query = f'(FROM {scan} UNION ALL BY NAME (SELECT NULL::VARCHAR AS "query" LIMIT 0))'
        return with_query if listed[0].table == "interactions" else scan

    def parts(self, table: str, source: str = "") -> str | None:
        """Return SQL that scans the parts of a table, from one source or all; None when there are none."""
        return self.scan(self.listed(table, source))

    def rows(self, table: str) -> str | None:
        """Return SQL for the rows of a table; if several parts have an id, one of them has the word on it.

        The newest part describes an item or user. An interaction is the one that came first: a later one with
        its id can't take it away. A new content has the age of the parts that it replaced, and recorded
        interactions come after those of files, whose ids they could copy.
        """
        parts, key = self.listed(table), KEYS[table]
        scanned = self.scan(parts)
        if scanned is None or len(parts) == 1:
            return scanned and f"(SELECT * FROM {scanned})"
        rank = _age_rank(parts) if table == "interactions" else "-part"
        return f"""(
            SELECT stored.* FROM {scanned} AS stored LEFT JOIN (
                SELECT {key}, arg_min(part, {rank}) AS part FROM {scanned}
                GROUP BY {key} HAVING min(part) < max(part)
            ) AS chosen USING ({key}) WHERE chosen.part IS NULL OR stored.part = chosen.part
        )"""

    def write(
        self, connection: DuckDBPyConnection, table: str, source: str, query: str, location: str = ""
    ) -> Part:
        """Write the rows of `query` without the retracted ones and those of erased users to a new part.

        It belongs to the warehouse after `add` and `commit`.
        """
        number = self.watermarks.next_part
        path = f"{table}/part-{number}.parquet"
        if table == "interactions":
            query = without_retracted(query, source, self.watermarks.retractions)
        if table in ("interactions", "users"):
            query = without_erased(connection, query, self.watermarks.erased_users)
        self.filesystem.makedirs(f"{self.root}/{table}", exist_ok=True)
        rows = self._copy(connection, f"SELECT {number} AS part, * FROM ({query})", path)
        now = time.time_ns() // 1000
        return Part(table, path, source, "", rows, number, location=location, ingested_at=now)

    def rewrite(self, connection: DuckDBPyConnection, part: Part, query: str) -> None:
        """Replace a listed part by the rows of `query`, in a new file."""
        # Its number stays, and so do those of later parts: a run sees no trace of the rows that are gone.
        name, _, edition = part.path.removesuffix(".parquet").partition(".")
        path = f"{name}.{int(edition or 1) + 1}.parquet"
        rewritten = replace(part, path=path, rows=self._copy(connection, query, path))
        self.watermarks.parts[self.watermarks.parts.index(part)] = rewritten
        self.watermarks.obsolete.append(part.path)

    def add(self, part: Part, replaces: Iterable[Part] = ()) -> None:
        """List a new part, and no longer those that it replaces."""
        replaced = list(replaces)
        if part.table == "interactions":
            self.watermarks.withdrawn += max(0, sum(old.rows for old in replaced) - part.rows)
        self.remove(replaced)
        if replaced:
            part = replace(part, since=min(old.since or old.number for old in replaced))
        self.watermarks.parts.append(part)
        self.watermarks.next_part = part.number + 1

    def remove(self, parts: Iterable[Part]) -> None:
        """List these parts no longer."""
        for part in list(parts):
            self.watermarks.parts.remove(part)
            self.watermarks.obsolete.append(part.path)

    def use_key(self, key_check: str) -> None:
        """Compare a pseudonym key with that of the stored user ids; an empty warehouse takes it.

        Args:
            key_check: the check value of the key; "" without one.

        Raises:
            StepError: the user ids were made with another key, or without one.
        """
        if self._content and self.watermarks.pseudonym_key != key_check:
            error = WrongPseudonymKey(f"the warehouse {self.root}", self.watermarks.pseudonym_key, key_check)
            raise StepError(str(error)) from error
        self.watermarks.pseudonym_key = key_check

    def commit(self) -> None:
        """Replace the manifest, then delete the parts that it doesn't list any more.

        The lock of a home does not hold on a cluster, where two runs may write to one warehouse.

        Raises:
            StepError: another process has replaced the manifest since it was read.
        """
        if self._read() != self._content:
            raise StepError(
                f"another run or retraction has changed the warehouse {self.root} meanwhile; its changes "
                "stay, and those of this one are not stored: run this again when the other one has ended"
            )
        self._content = self.watermarks.to_json().encode()
        with atomic_upload(self.filesystem, f"{self.root}/{WATERMARKS}") as file:
            file.write(self._content)
        while self.watermarks.obsolete:
            with suppress(FileNotFoundError):
                self.filesystem.rm_file(f"{self.root}/{self.watermarks.obsolete[-1]}")
            self.watermarks.obsolete.pop()

    def _copy(self, connection: DuckDBPyConnection, query: str, path: str) -> int:
        (rows,) = connection.execute(
            f"COPY ({query}) TO {literal(self.url(path))} (FORMAT parquet, COMPRESSION zstd)"
        ).fetchall()[0]
        return int(rows)

    def _read(self) -> bytes:
        try:
            with self.filesystem.open(f"{self.root}/{WATERMARKS}", "rb") as file:
                content: bytes = file.read()
        except FileNotFoundError:
            return b""
        return content


def _age_rank(parts: list[Part]) -> str:
    """Return SQL that orders parts of interactions: those of files by age, then those of the log."""
    files = sorted((p for p in parts if p.source != LOG), key=lambda part: part.since or part.number)
    numbers = [part.number for part in files]
    return f"coalesce(list_position({numbers}::BIGINT[], part), {len(numbers)} + part)"
