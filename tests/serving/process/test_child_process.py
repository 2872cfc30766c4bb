"""A server process is known by the address that it announces, and ends with its parent."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from threading import Event

import pytest

from serving.configuration.settings import load_settings
from serving.process import workers as module
from serving.process.child_process import ChildProcess
from serving.process.workers import Workers
from tests.patience import HANG_S, wait_until
from tests.serving.process.child_server import NOISE_LINES

SERVER = "tests.serving.process.child_server"


def test_the_announced_address_is_found_among_other_lines(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    process = ChildProcess(SERVER, [], os.environ, announces="recommender", log=log)
    assert process.wait_until_listening() == "127.0.0.1:2"
    assert process.addresses["metrics"] == "127.0.0.1:1"
    # It writes more lines than a pipe holds, which nobody but the log needs.
    wait_until(lambda: log.read_text().endswith(f"line {NOISE_LINES - 1}\n"))
    process.stop(HANG_S)
    assert process.popen.returncode == -signal.SIGTERM
    assert log.read_text().startswith("a library computes on 2 cores\n")


def test_a_process_that_ends_without_an_address_is_noticed(tmp_path: Path) -> None:
    process = ChildProcess("tests.serving.nothing", [], os.environ, "recommender", tmp_path / "server.log")
    assert process.wait_until_listening() is None
    assert process.popen.wait() == 1
    assert "No module named" in (tmp_path / "server.log").read_text()


def test_a_child_ends_when_its_parent_is_killed() -> None:
    script = dedent(f"""
        import os, signal
        from serving.process.child_process import ChildProcess
        print(ChildProcess({SERVER!r}, [], os.environ, "recommender").wait_until_listening(), flush=True)
        signal.pause()
    """)
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as parent:
        assert parent.stdout
        assert parent.stderr
        assert parent.stdout.readline() == "127.0.0.1:2\n"
        parent.kill()
        parent.stderr.read()  # until the child, which writes there too, has ended


@pytest.fixture
def hanging_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workers:
    """Workers that never listen."""

    def start(*arguments: object) -> ChildProcess:
        return ChildProcess(SERVER, ["--hang"], os.environ, "recommender", tmp_path / "worker.log")

    monkeypatch.setattr(module, "_start_process", start)
    return Workers(load_settings(home=tmp_path, port=0, workers=2))


def test_a_stop_ends_workers_that_hang_at_their_start(hanging_workers: Workers) -> None:
    stop = Event()
    stop.set()
    assert not hanging_workers.start(stop)
    processes = [worker.popen for worker in hanging_workers._workers]
    assert [process.poll() for process in processes] == [None, None]
    hanging_workers.stop()
    assert all(process.returncode is not None for process in processes)


def test_a_dead_worker_is_replaced_although_another_one_hangs(hanging_workers: Workers) -> None:
    stop = Event()
    stop.set()
    hanging_workers.start(stop)
    dead, hanging = [worker.popen for worker in hanging_workers._workers]
    dead.kill()
    dead.wait()
    hanging_workers.replace_dead()
    first, second = [worker.popen for worker in hanging_workers._workers]
    assert first is not dead
    assert second is hanging
    hanging_workers.stop()
