"""The page of a run shows when each step ran, in percent of the run."""

import re
from pathlib import Path

from components.run_record import RunRecord, StepRecord
from pipelines.local_run.run_page import PAGE, write_run_page

STEPS = [
    StepRecord(
        "Ingest", "ingest", "2026-01-01T00:00:10+00:00", 0, "succeeded", 20.0, 9, "", 5.0, 10**9, 0, 1_500
    ),
    StepRecord(
        "Train <b>", "train", "2026-01-01T00:00:50+00:00", 9, "failed", 50.0, 20, "why", 90.0, 2 * 10**9
    ),
]


def page(folder: Path, steps: list[StepRecord], seconds: float | None) -> str:
    record = RunRecord("20260101-000000", "training", "2026-01-01T00:00:00+00:00", "ada", {}, "failed")
    record.steps, record.duration_s = steps, seconds
    write_run_page(record, folder)
    return (folder / PAGE).read_text()


def test_each_step_lies_at_its_place_of_the_time_line_with_its_costs(tmp_path: Path) -> None:
    written = page(tmp_path, STEPS, 100.0)
    bars = re.findall(r'<div class="(\w+)" style="left:([\d.]+)%;width:([\d.]+)%"', written)
    assert bars == [("succeeded", "10.00", "20.00"), ("failed", "50.00", "50.00")]
    cells = re.findall(r"<td>([^<]*)</td>", written)
    assert cells == ["Ingest", "20.0", "5.0", "1.00", "", "1,500", "50.0", "90.0", "2.00", "", ""]
    assert "<b>95 s</b>" in written
    assert "<b>2.00 GB</b>" in written
    assert "Train &lt;b&gt;" in written


def test_a_step_that_was_stopped_lasts_until_the_end(tmp_path: Path) -> None:
    stopped = StepRecord("Train", "train", "2026-01-01T00:01:00+00:00", 0, "canceled")
    assert 'class="canceled" style="left:75.00%;width:25.00%"' in page(tmp_path, [stopped], 80.0)


def test_a_run_without_steps_has_a_page(tmp_path: Path) -> None:
    assert "<h1>Run 20260101-000000: failed</h1>" in page(tmp_path, [], None)
