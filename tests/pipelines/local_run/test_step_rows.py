"""The rows of a step are those of the tables among its inputs and its outputs."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.local_run.step_costs import is_cost, rows, rows_line
from pipelines.local_run.step_rows import count_rows


def executor(inputs: list[Path], outputs: list[Path]) -> list[str]:
    """The arguments of kfp's executor for a step with these artifacts."""

    def side(files: list[Path]) -> dict[str, Any]:
        return {"artifacts": {file.name: {"artifacts": [{"uri": str(file)}]} for file in files}}

    step = {"inputs": side(inputs), "outputs": side(outputs) | {"outputFile": "x"}}
    return ["module", "--executor_input", json.dumps(step), "--function_to_execute", "f"]


def table(file: Path, count: int) -> Path:
    pq.write_table(pa.table({"user_id": ["u"] * count}), file)
    return file


def test_tables_are_counted_on_each_side_and_other_artifacts_are_not(tmp_path: Path) -> None:
    text, folder = tmp_path / "text", tmp_path / "folder"
    text.write_text("PA")
    folder.mkdir()
    inputs = [table(tmp_path / "interactions", 7), table(tmp_path / "items", 2), text, folder]
    outputs = [table(tmp_path / "features", 5), tmp_path / "missing"]
    assert count_rows(executor(inputs, outputs)) == (9, 5)


def test_a_step_without_a_description_has_no_rows() -> None:
    assert count_rows(["module", "argument"]) == (None, None)


def test_a_table_without_rows_is_not_the_same_as_no_table(tmp_path: Path) -> None:
    assert count_rows(executor([table(tmp_path / "items", 0)], [])) == (0, None)


def test_a_table_that_a_failed_step_has_begun_is_not_counted(tmp_path: Path) -> None:
    (tmp_path / "begun").write_bytes(b"PAR1 and then the disk was full")
    assert count_rows(executor([], [tmp_path / "begun"])) == (None, None)


def test_the_line_of_a_step_is_read_again(tmp_path: Path) -> None:
    line = rows_line(executor([table(tmp_path / "items", 1_234)], []))
    assert rows(f"  {line}\n") == (1_234, None)
    assert is_cost(line)
    assert rows("training set: 7 rows") is None
