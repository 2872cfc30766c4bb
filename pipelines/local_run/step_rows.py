"""Counts the rows of the tables that a step of a pipeline gets and gives."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

_EXECUTOR_INPUT: Final = "--executor_input"
_PARQUET: Final = b"PAR1"


def count_rows(arguments: Sequence[str]) -> tuple[int | None, int | None]:
    """Return the rows of all Parquet files among the inputs and among the outputs of a step.

    None where there is no such file.

    Args:
        arguments: of kfp's executor, with its description of the step.
    """
    if _EXECUTOR_INPUT not in arguments:
        return None, None
    step = json.loads(arguments[arguments.index(_EXECUTOR_INPUT) + 1])
    return _rows(step.get("inputs", {})), _rows(step.get("outputs", {}))


def _rows(side: dict[str, Any]) -> int | None:
    artifacts = [one for each in side.get("artifacts", {}).values() for one in each["artifacts"]]
    counts = map(_rows_of_file, {Path(artifact["uri"]) for artifact in artifacts})
    tables = [count for count in counts if count is not None]
    return sum(tables) if tables else None


def _rows_of_file(file: Path) -> int | None:
    """Return None for what is no table, or one that a failed step has not ended."""
    if not file.is_file():
        return None
    with file.open("rb") as opened:
        if opened.read(len(_PARQUET)) != _PARQUET:
            return None
    from pyarrow import ArrowInvalid
    from pyarrow.parquet import read_metadata

    try:
        return int(read_metadata(file).num_rows)
    except ArrowInvalid:
        return None
