"""Writes the page of a local run: when each step ran, and what it cost."""

from pathlib import Path
from typing import Any, Final

from components.html_pages.rendering import render_page
from components.run_record import RunRecord, StepRecord
from feature_repo.atomic_files import write_text_atomically

PAGE: Final = "run.html"

_TEMPLATE: Final = Path(__file__).parent / "run_page_template.html"


def write_run_page(record: RunRecord, folder: Path) -> None:
    """Write the page of a run that has ended to its folder."""
    seconds = record.duration_s or 0.0
    rows = [_row(step, seconds) for step in record.steps]
    cpu_seconds = sum(step.cpu_seconds or 0.0 for step in record.steps)
    peak = max((step.peak_bytes or 0 for step in record.steps), default=0)
    page = render_page(
        _TEMPLATE, run=record, rows=rows, seconds=seconds, cpu_seconds=cpu_seconds, peak_gigabytes=peak / 1e9
    )
    write_text_atomically(folder / PAGE, page)


def _row(step: StepRecord, of_run: float) -> dict[str, Any]:
    """Return a step with its place on the time line, in percent of the run."""
    begin = min(step.began_s or 0.0, of_run)
    seconds = of_run - begin if step.seconds is None else min(step.seconds, of_run - begin)
    percent = 100 / of_run if of_run else 0.0
    return {"step": step, "seconds": seconds, "left": percent * begin, "width": percent * seconds}
