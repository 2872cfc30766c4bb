"""What the steps of a run cost, as it is printed after the run."""

import subprocess
import sys

from pipelines.step_times import StepTime, StepTimes


def test_the_table_has_the_slowest_step_first_and_the_sums() -> None:
    times = StepTimes()
    times.ended = [StepTime("Ingest", 1.0, 2.0), StepTime("Train", 10.0, 15.5)]
    rows = list(zip(*(column.cells for column in times.table().columns), strict=True))
    assert rows[1:] == [("Train", "10.0", "15.5"), ("Ingest", "1.0", "2.0"), ("all steps", "11.0", "17.5")]


def test_cpu_seconds_are_those_of_the_processes_that_the_step_started() -> None:
    times = StepTimes()
    subprocess.run([sys.executable, "-c", "import json"], check=True)
    with_a_process = times.end("one")
    times.start()
    assert times.end("other").cpu_seconds == 0 < with_a_process.cpu_seconds
