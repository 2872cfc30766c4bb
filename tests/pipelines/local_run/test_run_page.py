"""The page of a run shows when each step ran, in percent of the run."""

import re
from pathlib import Path

from components.run_record import RunRecord, StepRecord
from pipelines.local_run.run_page import PAGE, write_run_page

AT = "2026-01-01T00:00:00+00:00"
INGEST = StepRecord(
    "Ingest",
    "ingest",
    AT,
    0,
    "succeeded",
    20.0,
    cpu_seconds=5.0,
    peak_bytes=10**9,
    rows_out=1_500,
    began_s=10.5,
)
TRAIN = StepRecord(
    "Train <b>",
    "train",
    AT,
    9,
    "failed",
    49.5,
    cpu_seconds=90.0,
    peak_bytes=2 * 10**9,
    rows_in=0,
    began_s=50.6,
)


def page(folder: Path, steps: list[StepRecord], seconds: float | None) -> str:
    record = RunRecord("20260101-000000", "training", "2026-01-01T00:00:00+00:00", "ada", {}, "failed")
    record.steps, record.duration_s = steps, seconds
    write_run_page(record, folder)
    return (folder / PAGE).read_text()


def test_each_step_lies_at_its_place_of_the_time_line_with_its_costs(tmp_path: Path) -> None:
    written = page(tmp_path, [INGEST, TRAIN], 100.0)
    bars = re.findall(r'<div class="(\w+)" style="left:([\d.]+)%;width:([\d.]+)%"', written)
    assert bars == [("succeeded", "10.50", "20.00"), ("failed", "50.60", "49.40")]
    cells = re.findall(r"<td>([^<]*)</td>", written)
    assert cells == ["Ingest", "20.0", "5.0", "1.00", "", "1,500", "49.4", "90.0", "2.00", "0", ""]
    assert "<b>95 s</b>" in written
    assert "<b>2.00 GB</b>" in written
    assert "Train &lt;b&gt;" in written


def test_a_step_that_was_stopped_lasts_until_the_end(tmp_path: Path) -> None:
    stopped = StepRecord("Train", "train", AT, 0, "canceled", began_s=60.0)
    assert 'class="canceled" style="left:75.00%;width:25.00%"' in page(tmp_path, [stopped], 80.0)


def test_a_run_without_steps_has_a_page(tmp_path: Path) -> None:
    assert "<h1>Run 20260101-000000: failed</h1>" in page(tmp_path, [], None)
