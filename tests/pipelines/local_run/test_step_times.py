"""What the steps of a run cost, as it is printed after the run."""

import subprocess
import sys

import pytest

from pipelines.local_run.step_times import StepTime, StepTimes


def test_the_table_has_the_slowest_step_first_and_the_sums() -> None:
    times = StepTimes()
    ingest = StepTime("Ingest", 1.0, 2.0, 5 * 10**8, rows_in=0, rows_out=1_500)
    times.ended = [ingest, StepTime("Train", 10.0, 15.5, 2 * 10**9)]
    rows = list(zip(*(list(column.cells)[:4] for column in times.table().columns), strict=True))
    assert rows[1:] == [
        ("Train", "10.0", "15.5", "2.00", "", ""),
        ("Ingest", "1.0", "2.0", "0.50", "0", "1,500"),
        ("all steps", "11.0", "17.5", "2.00", "", ""),
    ]


def test_the_overhead_is_the_run_without_the_work_of_its_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    begin, start, call, end_of_call, end, table = 1.0, 3.0, 5.0, 13.0, 15.0, 17.0
    clock = iter([begin, begin, start, call, end_of_call, end, table, table])
    monkeypatch.setattr("pipelines.local_run.step_times.time.monotonic", lambda: next(clock))
    times = StepTimes()
    times.start()
    times.start_work()
    times.end_work()
    times.end("Train")
    assert times.overhead() == (8.0, 0.5)
    *_, (name, seconds, *_, share) = zip(*(column.cells for column in times.table().columns), strict=True)
    assert (name, seconds, share) == ("pipeline overhead", "8.0", "50.0% of the run")


def test_cpu_seconds_are_those_of_the_processes_that_the_step_started() -> None:
    times = StepTimes()
    subprocess.run([sys.executable, "-c", "import json"], check=True)
    with_a_process = times.end("one")
    times.start()
    assert times.end("other").cpu_seconds == 0 < with_a_process.cpu_seconds
