"""Counts the rows of the tables that a step of a pipeline gets and gives."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

_EXECUTOR_INPUT: Final = "--executor_input"
_PARQUET: Final = b"PAR1"


def count_rows(arguments: Sequence[str]) -> tuple[int, int]:
    """Return the rows of all Parquet files among the inputs and among the outputs of a step.

    Args:
        arguments: of kfp's executor; without its description of the step there are no rows.
    """
    if _EXECUTOR_INPUT not in arguments:
        return 0, 0
    step = json.loads(arguments[arguments.index(_EXECUTOR_INPUT) + 1])
    return _rows(step.get("inputs", {})), _rows(step.get("outputs", {}))


def _rows(side: dict[str, Any]) -> int:
    artifacts = [one for each in side.get("artifacts", {}).values() for one in each["artifacts"]]
    return sum(map(_rows_of_file, {Path(artifact["uri"]) for artifact in artifacts}))


def _rows_of_file(file: Path) -> int:
    if not file.is_file():
        return 0
    with file.open("rb") as opened:
        if opened.read(len(_PARQUET)) != _PARQUET:
            return 0
    from pyarrow.parquet import read_metadata

    return int(read_metadata(file).num_rows)
