"""Several worker processes on one port: shared state, restart of dead workers, metrics of all workers."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from serving.protos import recommender_pb2 as pb
from serving.protos.recommender_pb2_grpc import RecommenderServiceStub
from tests.fake_model_server import fake_model_server
from tests.patience import HANG_S, wait_until
from tests.serving.planted import write_release

REQUESTS = "penchant_request_duration_seconds_count"


@dataclass(frozen=True)
class Supervisor:
    """A recommender with two workers, and the addresses that it printed."""

    process: "subprocess.Popen[str]"
    address: str
    metrics: str


@contextmanager
def supervised(home: Path) -> Iterator[Supervisor]:
    """Serve a release; the model server has version 1 of the interest model and computes nothing."""
    write_release(home / "releases", 1)
    (home / "releases" / "live.json").write_text(json.dumps({"version": 1}))
    settings = {"HOME": str(home), "PORT": "0", "METRICS_PORT": "0", "WORKERS": "2"}
    with fake_model_server() as model_server:
        settings["MODEL_SERVER"] = model_server.address
        environment = {**os.environ, **{f"PENCHANT_{name}": value for name, value in settings.items()}}
        process = subprocess.Popen(
            [sys.executable, "-m", "serving.server"], env=environment, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout
        yield Supervisor(process, *(process.stdout.readline().split()[-1] for _ in range(2)))
        process.terminate()
        process.wait(HANG_S)


@pytest.fixture(scope="module")
def supervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    """Of several tests; the last one stops it."""
    with supervised(tmp_path_factory.mktemp("supervisor")) as supervisor:
        yield supervisor


def is_alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def workers(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    """Return the worker processes that listen."""
    children = [child for child in psutil.Process(process.pid).children() if is_alive(child)]
    return [
        child
        for child in children
        if "serving.server" in child.cmdline()
        and any(connection.status == psutil.CONN_LISTEN for connection in child.net_connections("tcp"))
    ]


def connections(worker: psutil.Process, address: str) -> int:
    port = int(address.rsplit(":", 1)[1])
    return sum(
        connection.status == psutil.CONN_ESTABLISHED and connection.laddr.port == port
        for connection in worker.net_connections("tcp")
    )


def one_client_per_worker(
    address: str, processes: list[psutil.Process], stack: ExitStack
) -> list[RecommenderServiceStub]:
    """Open connections until the kernel has given one to each worker; return a client of each worker."""
    clients: dict[int, RecommenderServiceStub] = {}
    counts = [connections(worker, address) for worker in processes]
    while len(clients) < len(processes):
        channel = stack.enter_context(grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]))
        grpc.channel_ready_future(channel).result(HANG_S)
        before, counts = counts, [connections(worker, address) for worker in processes]
        (index,) = (index for index, count in enumerate(counts) if count > before[index])
        clients.setdefault(index, RecommenderServiceStub(channel))  # type: ignore[no-untyped-call]
        assert sum(counts) < 100, "all connections go to one worker"
    return [clients[index] for index in range(len(processes))]


def recommend(client: RecommenderServiceStub, *history: str) -> pb.RecommendResponse:
    request = pb.RecommendRequest(user_id="u", history=[pb.Interaction(item_id=item) for item in history])
    answer: pb.RecommendResponse = client.Recommend(request, timeout=HANG_S)
    return answer


def count(metrics: str, name: str, **labels: str) -> float:
    with urllib.request.urlopen(f"http://{metrics}/metrics") as page:
        families = text_string_to_metric_families(page.read().decode())
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def test_a_port_in_use_stops_the_start_with_one_line(supervisor: Supervisor, tmp_path: Path) -> None:
    port = supervisor.address.rsplit(":", 1)[1]
    environment = {
        **os.environ,
        "PENCHANT_HOME": str(tmp_path),
        "PENCHANT_PORT": port,
        "PENCHANT_WORKERS": "2",
    }
    second = subprocess.run(
        [sys.executable, "-m", "serving.server"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=HANG_S,
    )
    assert second.returncode == 1
    assert second.stderr.strip().splitlines()[-1].startswith("recommender: can't listen on 127.0.0.1:")


def test_workers_share_recordings_and_a_killed_worker_is_replaced(supervisor: Supervisor) -> None:
    metrics, address, process = supervisor.metrics, supervisor.address, supervisor.process
    with ExitStack() as stack:
        first, second = one_client_per_worker(address, workers(process), stack)
        shown = recommend(first, "comedy-3").recommendations[0].item_id
        recorded = pb.Interaction(user_id="u", item_id=shown)
        first.RecordInteractions(pb.RecordInteractionsRequest(interactions=[recorded]), timeout=HANG_S)
        answer = recommend(second)
        assert answer.basis == pb.BASIS_HISTORY
        assert shown not in {item.item_id for item in answer.recommendations}
        assert count(metrics, "penchant_recorded_interactions_total") == 1
        assert count(metrics, "penchant_release_version") == 1
        answered = count(metrics, REQUESTS, method="Recommend", code="OK")

        victim, survivor = workers(process)
        victim.send_signal(signal.SIGKILL)
        wait_until(lambda: len({w.pid for w in workers(process)} - {victim.pid}) == 2)
        assert survivor.is_running()
        replaced = one_client_per_worker(address, workers(process), stack)
        assert {recommend(client).basis for client in replaced} == {pb.BASIS_HISTORY}
        assert count(metrics, REQUESTS, method="Recommend", code="OK") > answered


def test_workers_stop_with_their_supervisor(supervisor: Supervisor) -> None:
    processes = workers(supervisor.process)
    assert len(processes) == 2
    supervisor.process.terminate()
    assert supervisor.process.wait(HANG_S) == 0
    assert not any(map(is_alive, processes))


def test_workers_stop_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    with supervised(tmp_path) as supervisor:
        processes = workers(supervisor.process)
        assert len(processes) == 2
        supervisor.process.kill()
        wait_until(lambda: not any(map(is_alive, processes)))


def test_a_setting_that_stops_the_workers_stops_the_supervisor(tmp_path: Path) -> None:
    settings = {"HOME": str(tmp_path), "PORT": "0", "WORKERS": "2", "SCENARIOS": str(tmp_path / "none.toml")}
    environment = {**os.environ, **{f"PENCHANT_{name}": value for name, value in settings.items()}}
    completed = subprocess.run(
        [sys.executable, "-m", "serving.server"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=HANG_S,
    )
    assert completed.returncode == 1
    assert "none.toml" in completed.stderr
    assert "Traceback" not in completed.stderr
