"""One run at a time in a home: the lock lasts as long as the run or one of its steps."""

import os
import signal
from pathlib import Path
from subprocess import PIPE, Popen
from sys import executable
from textwrap import dedent

import pytest

from pipelines.errors import RunError
from pipelines.local_run.run_lock import recovery_lock, run_lock


def script(home: Path, step: str, lock: str = "run_lock", seconds: float = 3600) -> list[str]:
    """A run that starts `step`, which prints a line, and then has the lock for `seconds`."""
    return [
        executable,
        "-c",
        dedent(f"""
            import subprocess, sys, time
            from pathlib import Path
            from pipelines.local_run.run_lock import {lock}
            with {lock}(Path({str(home)!r})):
                {step}
                time.sleep({seconds})
        """),
    ]


def test_the_lock_is_free_after_its_process_was_killed(tmp_path: Path) -> None:
    with Popen(script(tmp_path, "print('locked', flush=True)"), stdout=PIPE, text=True) as run:
        assert run.stdout
        assert run.stdout.readline() == "locked\n"
        with pytest.raises(RunError), run_lock(tmp_path):
            pass
        run.kill()
    # Popen waited for the end of the process.
    with run_lock(tmp_path):
        pass


def test_a_step_keeps_the_lock_of_its_killed_run(tmp_path: Path) -> None:
    program = "print(__import__('os').getpid(), flush=True); __import__('time').sleep(3600)"
    step = f"subprocess.Popen([sys.executable, '-c', {program!r}])"
    with Popen(script(tmp_path, step), stdout=PIPE, text=True) as run:
        assert run.stdout
        pid = int(run.stdout.readline())
        run.kill()
        run.wait()
        with pytest.raises(RunError, match=rf" \(processes {pid}\): wait"), run_lock(tmp_path):
            pass
        os.kill(pid, signal.SIGKILL)
        run.stdout.read()  # until the step has ended
    with run_lock(tmp_path):
        pass


def test_a_run_waits_for_a_recovery_and_a_recovery_for_no_run(tmp_path: Path) -> None:
    recovery = script(tmp_path, "print('locked', flush=True)", "recovery_lock", seconds=1)
    with Popen(recovery, stdout=PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "locked\n"
        with pytest.raises(RunError), recovery_lock(tmp_path):
            pass
        with run_lock(tmp_path):
            assert process.wait() == 0
            with pytest.raises(RunError), recovery_lock(tmp_path):
                pass


def test_standard_input_is_restored(tmp_path: Path) -> None:
    before = os.fstat(0)
    with run_lock(tmp_path):
        assert os.fstat(0).st_ino == (tmp_path / "run.lock").stat().st_ino
    assert os.fstat(0) == before
