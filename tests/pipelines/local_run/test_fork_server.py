"""The fork server forks each step from a process that has imported what the steps need."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from components.component_decorator import component
from pipelines.kubernetes_config import build_pipeline
from pipelines.local_run.fork_server import fork_server
from pipelines.local_run.step_modules import modules_of_steps
from pipelines.local_run.step_process import ADDRESS
from tests.patience import HANG_S, wait_until

# Prints whether a module was imported before, an argument and a variable, and ends as the argument says.
STEP = """
import os, sys
print("colorsys" in sys.modules, sys.argv[1], os.environ["OF_THE_STEP"], sys.stdin.read(), flush=True)
os.kill(os.getpid(), 9) if sys.argv[1] == "killed" else sys.exit(3)
"""


def run_step(folder: Path, argument: str) -> subprocess.CompletedProcess[str]:
    """Run STEP as kfp's local runner runs a step."""
    (folder / "planted_step.py").write_text(STEP)
    return subprocess.run(
        [sys.executable, "-m", "pipelines.local_run.step_process", "0", "planted_step", argument],
        input="read",
        capture_output=True,
        text=True,
        env=os.environ | {"OF_THE_STEP": "set"},
        timeout=HANG_S,
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose modules can be imported."""
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    return tmp_path


@pytest.mark.skipif(sys.platform != "linux", reason="steps are forked on Linux only")
def test_a_step_has_the_modules_of_the_server_and_the_streams_and_the_end_of_its_own(folder: Path) -> None:
    with fork_server([["colorsys"], ["no.such.module"]]):
        ended, killed = run_step(folder, "ended"), run_step(folder, "killed")
    assert ended.stdout.startswith("True ended set read\nstep used memory")
    assert "step used CPU seconds: " in ended.stdout
    assert ended.returncode == 3
    assert killed.stdout == "True killed set read\n"
    assert killed.returncode == 128 + signal.SIGKILL


def test_a_step_runs_without_a_server(folder: Path) -> None:
    ended = run_step(folder, "ended")
    assert ended.stdout.startswith("False ended set read\nstep used memory")
    assert ended.returncode == 3


def test_a_temporary_folder_with_a_path_too_long_for_a_socket_leaves_the_server_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("long" * 30)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with fork_server([]):
        assert ADDRESS not in os.environ


@pytest.mark.skipif(sys.platform != "linux", reason="steps are forked on Linux only")
def test_the_server_ends_when_the_runner_is_killed() -> None:
    code = "import sys; from pipelines.local_run.fork_server import fork_server\n"
    code += "with fork_server([]): print('started', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as runner:
        assert runner.stdout is not None
        assert runner.stdout.readline() == "started\n"
        (server,) = psutil.Process(runner.pid).children()
        runner.kill()
    wait_until(lambda: not server.is_running())


def test_the_modules_of_a_step_are_those_that_its_function_imports() -> None:
    @component
    def first() -> str:
        import colorsys
        from email.mime import text

        return f"{colorsys} {text}"

    @component
    def second(before: str) -> None:
        import wave

        print(wave, before)

    def pipeline() -> None:
        second(before=first().output)

    of_first, of_second = modules_of_steps(build_pipeline(pipeline, is_reported=False))
    assert {"colorsys", "email.mime"} <= set(of_first)
    assert "wave" in of_second
    assert "wave" not in of_first
