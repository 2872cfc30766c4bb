"""A user's file, opened: its rows without conversion, and what was found out about it."""

from dataclasses import dataclass, field

from duckdb import DuckDBPyRelation


@dataclass(frozen=True)
class OpenedTable:
    """The rows of a file, folder or pattern.

    Attributes:
        relation: text columns (VARCHAR), or typed ones from Parquet; nested ones (STRUCT, LIST) from JSON and
            Parquet; and `source_row`, BIGINT, 1 for the first row.
        name: the last part of the path, for messages.
        description: the container in words, such as "CSV separated by ';', UTF-16, gzip".
        rows: their number.
        notes: what was assumed or left out, one sentence each, to be told to the user.
        has_names: False if the file has no header, and the columns are called column_1, column_2, ….
    """

    relation: DuckDBPyRelation
    name: str
    description: str
    rows: int
    notes: list[str] = field(default_factory=list)
    has_names: bool = True
