"""Categories of an item: a list, or text with JSON, a Python list, or separated words."""

from typing import Final

from duckdb import DuckDBPyRelation

from components.ingest_interactions.columns.missing_values import cleaned
from components.ingest_interactions.duckdb_session import literal

SAMPLE_ROWS: Final = 10_000
# Each part of "Drama, Comedy" recurs in other cells; those of "Clothing, Shoes & Jewelry" do not.
MIN_CELLS_PER_PART: Final = 1.5
NO_CATEGORY: Final = "('(no genres listed)', 'none', 'null', 'nan', '[]', '{}')"

# The quoted words of a Python list; the words after the key "name" of a list of dictionaries.
_QUOTED: Final = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_NAME: Final = rf"""['"](?:name|title|label)['"]\s*:\s*({_QUOTED})"""


def words(relation: DuckDBPyRelation, column: str, is_list: bool, separator: str = "") -> tuple[str, str]:
    """Return SQL for the categories of a cell, VARCHAR[], and a description of what the cells hold.

    Args:
        column: an SQL identifier.
        separator: between the categories of a text; "" decides by the first 10,000 cells.
    """
    if is_list:
        return _tidy(f"{column}::VARCHAR[]"), "lists"
    text = cleaned(column)
    if separator:
        return _tidy(f"string_split({text}, {literal(separator)})"), f"separated by {separator!r}"
    sample = relation.filter(f"{column} IS NOT NULL").limit(SAMPLE_ROWS)
    bracket = f"{text}[1] IN ('[', '{{', '(')"
    if sample.aggregate(f"coalesce(avg(({bracket})::INT), 0) > 0.5").fetchall()[0][0]:
        return _tidy(f"CASE WHEN {bracket} THEN {_parsed(text)} ELSE [{text}] END"), "lists in text"
    if sample.aggregate(f"coalesce(bool_or(contains({text}, '|')), false)").fetchall()[0][0]:
        return _tidy(f"string_split({text}, '|')"), "separated by '|'"
    for candidate in (",", ";"):
        if _recurs(sample, text, candidate):
            return _tidy(f"string_split({text}, {literal(candidate)})"), f"separated by {candidate!r}"
    return _tidy(f"[{text}]"), "one in each cell"


def _parsed(text: str) -> str:
    """Return the words of JSON or of a Python list; of objects, their names."""
    from_json, from_python = f"json_extract_string({text}, '$[*]')", _unquoted(text, _QUOTED)
    quoted = f"CASE WHEN json_valid({text}) THEN {from_json} ELSE {from_python} END"
    has_names = f"regexp_matches({text}, {literal(_NAME)})"
    return f"CASE WHEN {has_names} THEN {_unquoted(text, _NAME, 1)} ELSE {quoted} END"


def _unquoted(text: str, pattern: str, group: int = 0) -> str:
    found = f"regexp_extract_all({text}, {literal(pattern)}, {group})"
    return rf"list_transform({found}, lambda word: regexp_replace(word[2:-2], '\\(.)', '\1', 'g'))"


def _recurs(sample: DuckDBPyRelation, text: str, separator: str) -> bool:
    """Return whether the parts of the cells recur in other cells, as those of lists do."""
    parts = (
        sample.filter(f"contains({text}, {literal(separator)})")
        .project(f"{text} AS cell")
        .distinct()
        .project(f"cell, unnest(list_distinct(list_transform(string_split(cell, {literal(separator)}), "
                 "lambda part: trim(part)))) AS part")
        .aggregate("count(*) AS occurrences, count(DISTINCT part) AS parts")
        .fetchall()
    )  # fmt: skip
    occurrences, distinct = parts[0]
    return bool(distinct) and occurrences / distinct >= MIN_CELLS_PER_PART


def _tidy(sql: str) -> str:
    trimmed = f"list_transform({sql}, lambda word: trim(word))"
    kept = f"list_filter({trimmed}, lambda word: word <> '' AND lower(word) NOT IN {NO_CATEGORY})"
    return f"list_sort(list_distinct({kept}))"
