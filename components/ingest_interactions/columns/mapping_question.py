"""Messages that ask which column of a file is which; each one has the option to type."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Final

from components.errors import StepError
from components.ingest_interactions.columns.usual_names import USUAL_NAMES, normalized
from components.ingest_interactions.reading import COLUMNS_OPTION

MEANINGS: Final = {
    "user_id": "who",
    "item_id": "which item",
    "timestamp": "when",
    "event_type": "what happened",
    "value": "rating or amount",
}
# Names shown of a file with very many columns.
SHOWN: Final = 40
MIN_SIMILARITY: Final = 0.7


class UnclearColumns(StepError):
    """It is not clear which column of a file is which; `missing` are the contract's columns not found."""

    def __init__(self, message: str, missing: Sequence[str]) -> None:
        super().__init__(message)
        self.missing = frozenset(missing)


def question(
    name: str,
    table: str,
    columns: Mapping[str, str],
    paths: Mapping[str, str],
    missing: Sequence[str],
    competing: Mapping[str, Sequence[str]],
) -> UnclearColumns:
    """Return the error about all columns that are missing, or that more than one column may be.

    Args:
        columns: column of the file -> an example of its cells, "" for none to be shown.
    """
    shown = [f"{column} ({example})" if example else column for column, example in columns.items()]
    lines = [f"{name}: it is not clear which column is which; this file has {_names(shown)}"]
    if paths:
        lines.append("  understood: " + ", ".join(f"{path} → {target}" for target, path in paths.items()))
    for target, found in competing.items():
        lines.append(f"  {_described(target)}: {' or '.join(found)}?")
    free = [column for column in columns if column not in paths.values()]
    near = _nearest([target for target in missing if target not in competing], table, free)
    for target, names in near.items():
        perhaps = f"; perhaps {' or '.join(names)}?" if names else ""
        lines.append(f"  {_described(target)}: not found{perhaps}")
    answers = {target: _answer(found) for target, found in competing.items()}
    answers |= {target: names[0] if names else "NAME" for target, names in near.items()}
    pairs = ",".join(f"{column}={target}" for target, column in answers.items())
    target, column = next(iter(answers.items()))
    lines.append(
        f"Say which it is with {COLUMNS_OPTION[table]} '{pairs}', or in the file {name}.toml beside it: "
        f'[columns] and a line such as "{column}" = "{target}"'
    )
    return UnclearColumns("\n".join(lines), missing)


def _answer(competing: Sequence[str]) -> str:
    """Return the first of the columns; of a date and a time both."""
    by_name = {normalized(column): column for column in competing}
    if by_name.keys() == {"date", "time"}:
        return f"{by_name['date']}+{by_name['time']}"
    return competing[0]


def not_in_file(name: str, table: str, unknown: Sequence[str], columns: Sequence[str]) -> str:
    """Return the message about names of an option that the file does not have."""
    near = {path: difflib.get_close_matches(path, columns, 1) for path in unknown}
    meant = "; ".join(f"{path}: do you mean {found[0]}?" for path, found in near.items() if found)
    return (
        f"{name}: {COLUMNS_OPTION[table]} names {', '.join(unknown)}, which this file does not have; it has "
        f"{_names(columns)}" + (f". {meant}" if meant else "")
    )


def _described(target: str) -> str:
    return f"{target} ({MEANINGS[target]})" if target in MEANINGS else target


def _nearest(targets: Sequence[str], table: str, columns: Sequence[str]) -> dict[str, list[str]]:
    """Return target -> at most two columns with a similar name, most similar first; each column once."""
    near: dict[str, list[tuple[float, str]]] = {target: [] for target in targets}
    for column in columns if targets else ():
        score, target = max((_similarity(column, target, table), target) for target in targets)
        near[target].append((-score, column))
    return {
        target: [column for score, column in sorted(found) if -score >= MIN_SIMILARITY][:2]
        for target, found in near.items()
    }


def _similarity(column: str, target: str, table: str) -> float:
    usual = {normalized(target), *(name for group in USUAL_NAMES[table][target] for name in group)}
    return max(difflib.SequenceMatcher(None, normalized(column), name).ratio() for name in usual)


def _names(columns: Sequence[str]) -> str:
    shown = ", ".join(columns[:SHOWN])
    return shown if len(columns) <= SHOWN else f"{shown} and {len(columns) - SHOWN} more"
