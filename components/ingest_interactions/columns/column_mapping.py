"""Which column of a file is which column of the contract."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from duckdb import DuckDBPyRelation

from components.errors import StepError
from components.ingest_interactions.columns.known_layouts import Layout, find_layout
from components.ingest_interactions.columns.mapping_question import not_in_file, question
from components.ingest_interactions.columns.source_paths import Source, explode
from components.ingest_interactions.columns.usual_names import (
    AMOUNTS,
    ORDERS,
    USUAL_NAMES,
    Groups,
    normalized,
)
from components.ingest_interactions.duckdb_session import quote
from components.ingest_interactions.reading import COLUMNS_OPTION

REQUIRED: Final = {
    "interactions": ("user_id", "item_id", "timestamp"),
    "items": ("item_id",),
    "users": ("user_id",),
}
ROW: Final = "source_row"


@dataclass(frozen=True)
class ColumnMapping:
    """Column of the contract -> path in the file."""

    paths: Mapping[str, str]
    layout: Layout | None = None

    @property
    def text(self) -> str:
        """The mapping in one line, such as "visitorid → user_id, timestamp"."""
        return ", ".join(name if path == name else f"{path} → {name}" for name, path in self.paths.items())

    def source(self, column: str) -> str:
        """Return a column for messages, with its path in the file if that is another one."""
        path = self.paths.get(column, column)
        return column if path == column else f"{column} ({path})"


def find_columns(
    relation: DuckDBPyRelation, table: str, name: str, given: Mapping[str, str], has_names: bool = True
) -> tuple[DuckDBPyRelation, ColumnMapping]:
    """Return the mapping, and the relation with a row for each element of the lists that the mapping needs.

    Args:
        relation: unconverted columns and `source_row`, as `files.open_table` returns them.
        table: interactions, items or users.
        name: the file's name, for messages and layouts.
        given: path in the file -> column of the contract, "" to ignore it; comes before all usual names.
        has_names: whether the file names its columns; otherwise they are column_1, column_2, ….

    Raises:
        StepError: required columns are not found, or columns compete for one; the message has the option.
    """
    if unknown := [path for path in given if Source(relation).sql(path) is None]:
        raise StepError(not_in_file(name, table, unknown, _Search(Source(relation), table).leaves))
    layout = find_layout(relation, table, name, has_names)
    if layout and layout.query:
        rewritten = relation.query("source", layout.query)
        # A given column that the query leaves out says that the user means the file as it is.
        if all(Source(rewritten).sql(path) is not None for path in given):
            relation = rewritten
        else:
            layout = None
    search = _Search(Source(relation), table)
    search.take_given(given)
    if layout:
        search.take_layout(layout)
    search.take_usual_names()
    missing = [target for target in REQUIRED[table] if target not in search.paths]
    if "query" in search.paths and not search.free:
        missing = [target for target in missing if target != "item_id"]  # a file of searches by words
    if missing or search.competing:
        examples = dict.fromkeys(search.leaves, "") if has_names else _examples(relation, search.leaves)
        raise question(name, table, examples, search.paths, missing, search.competing)
    contract = [target for target in USUAL_NAMES[table] if target in search.paths]
    paths = {target: search.paths[target] for target in dict.fromkeys([*contract, *search.paths])}
    try:
        return explode(relation, list(paths.values())), ColumnMapping(paths, layout)
    except ValueError as error:
        raise StepError(f"{name}: {error}; correct {COLUMNS_OPTION[table]}") from error


def _examples(relation: DuckDBPyRelation, columns: list[str]) -> dict[str, str]:
    """Return column -> its cell in the first row."""
    (row,) = relation.limit(1).project(", ".join(map(quote, columns))).fetchall()
    return {column: "" if cell is None else repr(cell) for column, cell in zip(columns, row, strict=True)}


@dataclass
class _Search:
    """A mapping in the making: the paths found, and the columns that are no longer free."""

    source: Source
    table: str
    paths: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    competing: dict[str, list[str]] = field(default_factory=dict)

    @property
    def leaves(self) -> list[str]:
        return [path for path in self.source.leaves() if path != ROW]

    @property
    def free(self) -> list[str]:
        """The columns without a meaning so far."""
        return [path for path in self.leaves if path.lower() not in self.taken]

    def take_given(self, given: Mapping[str, str]) -> None:
        for path, target in given.items():
            self._take(target, path)

    def take_layout(self, layout: Layout) -> None:
        for target, path in layout.columns.items():
            present = self.source.present(path)
            if target not in self.paths and present:
                self._take(target, present)

    def take_usual_names(self) -> None:
        for target, groups in USUAL_NAMES[self.table].items():
            if target not in self.paths:
                self._take_usual(target, groups)
        if self.table != "interactions":
            return
        is_unknown = not {"event_type", "value"} & self.paths.keys()
        if is_unknown and any(normalized(path) in ORDERS for path in self.leaves):
            self._take("event_type", "'purchase'")
        if "event_type" in self.paths and "value" not in self.paths:
            self.competing.pop("value", None)
            self._take_usual("value", AMOUNTS)
            self.competing.pop("value", None)

    def _take(self, target: str, path: str) -> None:
        if target:
            self.paths[target] = path
        self.taken.update(part.strip().lower() for part in re.split(r"[|+]", path))
        self.taken.add(path.lower())

    def _take_usual(self, target: str, groups: Groups) -> None:
        """Take the column of the contract's own name, else of the first group that has a name of the file.

        For a required column the last part of a path counts too, such as product_id in properties.product_id.
        """
        kinds = self.source.leaves()
        free = [
            path for path in self.free if kinds[path].id != "list" or target == "categories" or path == target
        ]
        for matches in _preferences(target, groups, target in REQUIRED[self.table]):
            found = [path for path in free if matches(path)]
            if len(found) == 1:
                self._take(target, found[0])
            elif found:
                self.competing[target] = found
            if found:
                return


def _preferences(target: str, groups: Groups, by_last_part: bool) -> list[Callable[[str], bool]]:
    def in_group(group: tuple[str, ...], part: slice) -> Callable[[str], bool]:
        return lambda path: normalized(".".join(path.split(".")[part])) in group

    every = [(normalized(target),), *groups]
    parts = [slice(None), slice(-1, None)] if by_last_part else [slice(None)]
    return [lambda path: path == target, *(in_group(group, part) for part in parts for group in every)]
