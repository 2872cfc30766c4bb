"""What has been ingested: Parquet parts, and the manifest `watermarks.json` that alone makes them count.

A part that the manifest doesn't name, left by a run that was killed, is never read; the next run writes the
same name again. So an ingest is one atomic step, and repeating it is harmless.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import fsspec
from duckdb import DuckDBPyConnection

from components.ingest_interactions.session import literal, paths
from feature_repo.atomic_files import atomic_upload

WATERMARKS: Final = "watermarks.json"


@dataclass(frozen=True)
class Part:
    """`table` is interactions, items or users; `digest` tells the content of the source it was made from."""

    table: str
    path: str
    source: str
    digest: str
    rows: int


@dataclass
class Watermarks:
    """`catalog` is the data set of this warehouse or "files"; `log` is the moment (µs) each log was read."""

    catalog: str = ""
    parts: list[Part] = field(default_factory=list)
    log: dict[str, int] = field(default_factory=dict)


class Warehouse:
    """The parts below an fsspec URL or plain directory."""

    def __init__(self, url: str) -> None:
        self.filesystem, self.root = fsspec.url_to_fs(url)
        self.watermarks = self._read()

    def holds(self, table: str, digest: str) -> bool:
        """Whether this content is in; for items and users, whose newest table wins, whether it came last."""
        digests = [part.digest for part in self.watermarks.parts if part.table == table]
        return digest in (digests if table == "interactions" else digests[-1:])

    def url(self, path: str) -> str:
        """The full URL of a path below the warehouse, as DuckDB takes it."""
        url: str = self.filesystem.unstrip_protocol(f"{self.root}/{path}")
        return url.removeprefix("file://")

    def parts(self, table: str) -> str | None:
        """SQL that scans the parts of a table, None when there is none."""
        urls = [self.url(part.path) for part in self.watermarks.parts if part.table == table]
        return f"read_parquet({paths(urls)}, union_by_name = true)" if urls else None

    def add(self, connection: DuckDBPyConnection, table: str, source: str, digest: str, query: str) -> int:
        """Write the rows of `query` as the next part; returns how many. It counts once `commit` returned."""
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
        return Watermarks(stored["catalog"], [Part(**part) for part in stored["parts"]], stored["log"])
