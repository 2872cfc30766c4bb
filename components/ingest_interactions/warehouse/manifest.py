"""The warehouse: Parquet parts with all ingested rows, and the manifest `watermarks.json` that lists them.

A part that the manifest doesn't list, written by a killed run, is ignored, and the next run overwrites it. So
an ingest is atomic, and a repeat is harmless.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import fsspec
from duckdb import DuckDBPyConnection

from components.ingest_interactions.duckdb_session import literal, paths
from feature_repo.atomic_files import atomic_upload

WATERMARKS: Final = "watermarks.json"


@dataclass(frozen=True)
class Part:
    """`table` is interactions, items or users; `digest` identifies the content of the source."""

    table: str
    path: str
    source: str
    digest: str
    rows: int


@dataclass
class Watermarks:
    """`catalog` is the name of a data set or "files"; `log` is log URL -> time (µs) of the last read.

    `feedback`: the options of feedback_options.FeedbackOptions that were given last.
    """

    catalog: str = ""
    parts: list[Part] = field(default_factory=list)
    log: dict[str, int] = field(default_factory=dict)
    feedback: dict[str, Any] = field(default_factory=dict)


class Warehouse:
    """The warehouse in a directory or at an fsspec URL."""

    def __init__(self, url: str) -> None:
        self.filesystem, self.root = fsspec.url_to_fs(url)
        self.watermarks = self._read()

    def contains(self, table: str, digest: str) -> bool:
        """Return whether this content was ingested; for items and users, whether it is the newest part."""
        digests = [part.digest for part in self.watermarks.parts if part.table == table]
        return digest in (digests if table == "interactions" else digests[-1:])

    def url(self, path: str) -> str:
        """Return the full URL of a path in the warehouse, for DuckDB."""
        url: str = self.filesystem.unstrip_protocol(f"{self.root}/{path}")
        return url.removeprefix("file://")

    def parts(self, table: str, source: str = "") -> str | None:
        """Return SQL that scans the parts of a table, from one source or all; None when there are none."""
        parts = (part for part in self.watermarks.parts if part.table == table)
        urls = [self.url(part.path) for part in parts if source in ("", part.source)]
        return f"read_parquet({paths(urls)}, union_by_name = true)" if urls else None

    def add(self, connection: DuckDBPyConnection, table: str, source: str, digest: str, query: str) -> int:
        """Write the rows of `query` to a new part; return their number. `commit` makes it visible."""
        number = len(self.watermarks.parts) + 1
        path = f"{table}/part-{source}-{number}.parquet"
        self.filesystem.makedirs(f"{self.root}/{table}", exist_ok=True)
        numbered = f"SELECT {number} AS part, * FROM ({query})"
        (rows,) = connection.execute(
            f"COPY ({numbered}) TO {literal(self.url(path))} (FORMAT parquet, COMPRESSION zstd)"
        ).fetchall()[0]
        self.watermarks.parts.append(Part(table, path, source, digest, rows))
        return int(rows)

    def commit(self) -> None:
        """Replace the manifest."""
        with atomic_upload(self.filesystem, f"{self.root}/{WATERMARKS}") as file:
            file.write(json.dumps(asdict(self.watermarks), indent=2).encode())

    def _read(self) -> Watermarks:
        try:
            with self.filesystem.open(f"{self.root}/{WATERMARKS}", "rb") as file:
                stored: dict[str, Any] = json.load(file)
        except FileNotFoundError:
            return Watermarks()
        parts = [Part(**part) for part in stored["parts"]]
        return Watermarks(stored["catalog"], parts, stored["log"], stored.get("feedback", {}))
