"""The fork server forks each step from a process that has imported what the steps need."""

import json
import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from components.component_decorator import component
from pipelines.kubernetes_config import build_pipeline
from pipelines.local_run.fork_server import fork_server
from pipelines.local_run.step_modules import modules_of_steps
from pipelines.local_run.step_process import ADDRESS, READS, STARTS
from tests.patience import HANG_S, wait_until

# Prints whether a module was imported before, an argument and a variable, and ends as the argument says.
STEP = """
import os, signal, sys
print("colorsys" in sys.modules, sys.argv[1], os.environ["OF_THE_STEP"], sys.stdin.read(), flush=True)
if sys.argv[1] == "draws":
    print(sys.modules["numpy.random"].random())
elif sys.argv[1] == "succeeds":
    import atexit
    atexit.register(print, "last words")
    sys.modules["freed"] = type("Freed", (), {"__del__": lambda self: os.write(1, b"freed")})()
elif sys.argv[1] == "counts":
    import prometheus_client
    prometheus_client.Counter("counted", "").inc()
    print("counted", os.environ["PROMETHEUS_MULTIPROC_DIR"], flush=True)
elif sys.argv[1] == "hangs":
    signal.pause()
if sys.argv[1] != "succeeds":
    os.kill(os.getpid(), 9) if sys.argv[1] == "killed" else sys.exit(3)
"""

TIMED_OUT = 128 + signal.SIGALRM
HAS_ENDED = "the fork server has ended: this step imports what it needs\n"

forks = pytest.mark.skipif(sys.platform != "linux", reason="steps are forked on Linux only")


def run_step(folder: Path, argument: str, limit_s: float = 0) -> subprocess.CompletedProcess[str]:
    """Run STEP as kfp's local runner runs a step."""
    (folder / "planted_step.py").write_text(STEP)
    return subprocess.run(
        [sys.executable, "-m", "pipelines.local_run.step_process", str(limit_s), "planted_step", argument],
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


@contextmanager
def fake_server(folder: Path, answer: bytes | None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Accept one step and end after an answer; without one, don't accept it."""
    address = str(folder / "socket")
    monkeypatch.setenv(ADDRESS, address)

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(READS)
            connection.makefile().read()
            connection.sendall(answer or b"")

    with socket.socket(socket.AF_UNIX) as listener, ThreadPoolExecutor() as pool:
        listener.bind(address)
        listener.listen()
        served = pool.submit(serve) if answer is not None else None
        yield
        if served:
            served.result(HANG_S)


@forks
def test_a_step_has_the_modules_of_the_server_and_the_streams_and_the_end_of_its_own(folder: Path) -> None:
    (folder / "planted_end.py").write_text("raise SystemExit(4)")
    with fork_server([["planted_end", "no.such.module", "colorsys"]]):
        ended, killed = run_step(folder, "ended"), run_step(folder, "killed")
    assert ended.stdout.startswith("True ended set read\nstep used memory")
    assert "step used CPU seconds: " in ended.stdout
    assert ended.returncode == 3
    assert killed.stdout == "True killed set read\n"
    assert killed.returncode == 128 + signal.SIGKILL


@forks
def test_a_step_has_the_variables_that_imports_set_and_metrics_without_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Feast's metrics do: the step's own environment lacks the variable."""
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)  # Feast may have set it in this process
    (folder / "planted_metrics.py").write_text(
        "import os\nos.environ['PROMETHEUS_MULTIPROC_DIR'] = 'gone'\nimport prometheus_client\n"
    )
    with fork_server([["planted_metrics"]]):
        step = run_step(folder, "counts")
    assert "counted gone" in step.stdout, step.stderr


@forks
def test_a_step_that_succeeds_runs_its_exit_handlers_and_frees_no_module(folder: Path) -> None:
    with fork_server([]):
        step = run_step(folder, "succeeds")
    assert step.returncode == 0
    assert "last words" in step.stdout
    assert "step used CPU seconds" in step.stdout
    assert "freed" not in step.stdout


@forks
def test_forked_steps_draw_different_random_numbers_with_numpy(folder: Path) -> None:
    with fork_server([["numpy.random"]]):
        first, second = (run_step(folder, "draws").stdout.splitlines()[1] for _ in range(2))
    assert float(first) != float(second)


@forks
def test_a_forked_step_ends_after_its_time_limit_with_the_stacks_of_its_threads(folder: Path) -> None:
    with fork_server([]):
        step = run_step(folder, "hangs", limit_s=0.5)
    assert step.returncode == TIMED_OUT
    assert "planted_step.py" in step.stderr


@forks
def test_a_step_that_ends_while_the_server_imports_is_not_started(folder: Path) -> None:
    gate = folder / "gate"
    waiting = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)"
    (folder / "planted_gate.py").write_text(waiting)
    (folder / "planted_step.py").write_text(f"open({str(folder / 'ran')!r}, 'w')")
    command = [sys.executable, "-m", "pipelines.local_run.step_process", "0.5", "planted_step"]
    with fork_server([["planted_gate"]]):
        limited = subprocess.run(command, capture_output=True, timeout=HANG_S, check=False)
        gate.touch()
    assert limited.returncode == -signal.SIGALRM
    assert not (folder / "ran").exists()


@forks
@pytest.mark.parametrize("server_ends", [False, True])
def test_a_step_whose_runner_is_killed_while_it_waits_is_not_started(folder: Path, server_ends: bool) -> None:
    gate = folder / "gate"
    waiting = f"import os, time\nopen({str(folder / 'imports')!r}, 'w')\n"
    waiting += f"while not os.path.exists({str(gate)!r}): time.sleep(0.01)"
    (folder / "planted_gate.py").write_text(waiting)
    (folder / "planted_step.py").write_text(f"open({str(folder / 'ran')!r}, 'w')")
    command = [sys.executable, "-m", "pipelines.local_run.step_process", "0", "planted_step"]
    with fork_server([["planted_gate"]]):
        wait_until((folder / "imports").exists)
        step = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert step.stdout
        wait_until(lambda: any(each.fd > 2 for each in psutil.Process(step.pid).net_connections("unix")))
        step.stdout.close()  # as at the end of the runner
        if server_ends:
            (server,) = (each for each in psutil.Process().children() if each.pid != step.pid)
            server.kill()
        gate.touch()
        assert step.wait(HANG_S) == 1
    assert not (folder / "ran").exists()


@forks
def test_a_step_that_ends_once_the_server_reads_its_request_is_not_started(folder: Path) -> None:
    (folder / "planted_step.py").write_text(f"open({str(folder / 'ran')!r}, 'w')")
    request = {"arguments": ["planted_step"], "end": math.inf, "environment": dict(os.environ)}
    with fork_server([]), socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.environ[ADDRESS])
        assert connection.recv(len(READS)) == READS
        socket.send_fds(connection, [b"\0"], [0, 1, 2])
        connection.sendall(json.dumps(request).encode())
        connection.shutdown(socket.SHUT_RDWR)  # as at the end of the process
    assert not (folder / "ran").exists()


@forks
def test_a_step_is_killed_with_the_process_that_waits_for_it(folder: Path) -> None:
    (folder / "planted_step.py").write_text(
        "import os, signal\nprint(os.getpid(), flush=True)\nsignal.pause()"
    )
    command = [sys.executable, "-m", "pipelines.local_run.step_process", "0", "planted_step"]
    with fork_server([]), subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as waiting:
        assert waiting.stdout is not None
        step = psutil.Process(int(waiting.stdout.readline()))
        waiting.kill()
        wait_until(lambda: not step.is_running() or step.status() == psutil.STATUS_ZOMBIE)


@forks
def test_nothing_follows_the_error_of_a_forked_step_that_has_duckdb(folder: Path) -> None:
    with fork_server([["duckdb"]]):
        step = run_step(folder, "ended")
    assert (step.returncode, step.stderr) == (3, "")


@forks
def test_a_step_after_the_end_of_the_server_imports_what_it_needs(folder: Path) -> None:
    with fork_server([["colorsys"]]):
        assert run_step(folder, "ended").stdout.startswith("True ended")
        (server,) = psutil.Process().children()
        server.kill()
        wait_until(lambda: server.status() == psutil.STATUS_ZOMBIE)
        step = run_step(folder, "ended")
    assert step.stdout.startswith("False ended set read\nstep used memory")
    assert (step.returncode, step.stderr) == (3, HAS_ENDED)


@forks
def test_a_step_that_waited_for_a_server_that_ended_imports_what_it_needs(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_server(folder, b"", monkeypatch):
        step = run_step(folder, "ended")
    assert step.stdout.startswith("False ended set read\nstep used memory")
    assert (step.returncode, step.stderr) == (3, HAS_ENDED)


@forks
def test_a_step_whose_end_nobody_waited_for_fails_with_the_reason(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_server(folder, STARTS, monkeypatch):
        step = run_step(folder, "ended")
    assert (step.returncode, step.stdout) == (1, "")
    assert step.stderr.startswith("the process that waited for this step was killed")


@forks
def test_a_step_that_no_server_accepts_ends_after_its_time_limit(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_server(folder, None, monkeypatch):
        step = run_step(folder, "ended", limit_s=0.5)
    assert (step.returncode, step.stdout) == (-signal.SIGALRM, "")


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


@forks
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
