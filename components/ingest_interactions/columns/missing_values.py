"""Cells that mean "no value", and blanks around cells."""

from typing import Final

from components.ingest_interactions.duckdb_session import literal

# What databases, pandas, R, Hive, JavaScript and Google Analytics write for a missing value.
MISSING: Final = (
    "NULL", "null", "Null", "nan", "NaN", "NAN", "None", r"\N", "<NA>", "(not set)", "(not provided)",
    "undefined",
)  # fmt: skip
_MISSING_SQL: Final = "(" + ", ".join(map(literal, MISSING)) + ")"
# Space, tab, line ends, no-break space, byte-order mark.
_BLANKS: Final = "' ' || chr(9) || chr(10) || chr(13) || chr(160) || chr(65279)"


def trimmed(text: str) -> str:
    """Return SQL for the text of a VARCHAR expression without blanks around it."""
    # Most cells begin and end with a visible ASCII character; trim takes ten times as long as this test.
    is_trimmed = f"ascii({text}) BETWEEN 33 AND 126 AND right({text}, 1) BETWEEN '!' AND '~'"
    return f"CASE WHEN {is_trimmed} THEN {text} ELSE trim({text}, {_BLANKS}) END"


def cleaned(text: str) -> str:
    """Return SQL for the trimmed text, NULL for an empty cell or a word that means a missing value."""
    return f"CASE WHEN {trimmed(text)} NOT IN {_MISSING_SQL} THEN nullif({trimmed(text)}, '') END"


def is_missing_word(text: str) -> str:
    """Return SQL for whether the cell has a word that means a missing value."""
    return f"{trimmed(text)} IN {_MISSING_SQL}"
