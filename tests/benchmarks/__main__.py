"""Measures serving beside its floor, in one run on the machine at hand.

python -m tests.benchmarks [--home DIR] [--quick] [--minutes M] [--world DIR]
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

from rich.console import Console

from feature_repo.contract import INTEREST_MODEL
from serving.configuration.settings import ServingSettings
from tests.benchmarks import load
from tests.benchmarks.figures import Figures, stage_table
from tests.benchmarks.load import Target
from tests.benchmarks.processes import Recommender, Server, recommender, server
from tests.benchmarks.swaps import republished, swap
from tests.benchmarks.world import Shape, groups

console = Console(width=120)

MOVIELENS_1M: Final = Shape()
LARGE: Final = Shape(users=1_800, items=1_000_000)
CLIENTS: Final = 16

# From one release to another and back, in less than so many seconds.
SWAPS: Final = 10
_SWAPPING_S: Final = 15.0


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    shape: Shape = MOVIELENS_1M
    large: Shape | None = LARGE
    rounds: int = 10
    calls: int = 190  # in each round; with the warming no more in all than users who ask for the first time
    minutes: float = 0.5


QUICK: Final = Effort(Shape(users=1_800, items=1_000), None, rounds=3, calls=100, minutes=0.1)


class Client:
    """The load generator in its own process, so that it shares no interpreter with anything measured."""

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(1, get_context("spawn"))

    def run(self, measure: Any, *arguments: Any) -> Any:
        return self.start(measure, *arguments).result()

    def start(self, measure: Any, *arguments: Any) -> "Future[Any]":
        return self._pool.submit(measure, *arguments)


def measure(home: Path, effort: Effort, client: Client) -> Figures:
    """Every figure of a world; the large catalog's apart."""
    figures = Figures()
    with _served(home) as (models, service):
        users = groups(effort.shape)
        recorded, long_recorded = users.pop("recorded"), users.pop("long_recorded")
        targets = {kind: Target.of(service.server.address, asked) for kind, asked in users.items()}
        first = {kind: targets.pop(kind) for kind in ("long_new_first", "long_first")}
        answer = home / "answer.bin"
        answer.write_bytes(client.run(load.answer, targets["long_new"]))
        with server("tests.benchmarks.echo", str(answer)) as echo:
            floor = Target(echo.address, targets["long_new"].requests)
            with server("tests.benchmarks.straightforward", str(home), models.address) as plain:
                naive = Target(plain.address, targets["long"].requests)
                everything = {"echo": floor, **first, **targets, "straightforward": naive}
                figures.latencies |= client.run(load.one_client, everything, effort.rounds, effort.calls)
            _one_client_goals(figures)
            _after_recording(figures, client, service, long_recorded, floor)
            for kind in ("long_new", "long"):
                _stages(figures, client, service, kind, targets[kind], effort)
            with recommender(home, models.address, os.cpu_count() or 1) as several:
                throughput = {"echo": floor} | {
                    kind: Target(several.server.address, targets[kind].requests)
                    for kind in ("long_new", "long")
                }
                one = {"one worker": targets["long_new"]}
                peak = _throughput(figures, client, throughput | one, effort)
        _open_loop(figures, client, service, targets["long_new"], peak / 2, effort.minutes)
        _swaps(figures, client, service, targets["short_new"], peak / 4, home)
        figures.latencies["recorded until reflected"] = client.run(
            load.freshness, service.server.address, recorded
        )
        _resources(figures, service.server)
    return figures


def _one_client_goals(figures: Figures) -> None:
    figures.ratio("history 200 + 3 new, first answer / echo, p50", "long_new_first", "echo", 4)
    figures.ratio("history 200 + 3 new, later answers / echo, p50", "long_new", "echo", 4)
    figures.ratio("history 200, nothing new, first answer / echo, p50", "long_first", "echo", 3)
    figures.ratio("history 200, nothing new, later answers / echo, p50", "long", "echo", 3)
    figures.ratio("history 200 / history 10, 3 new, p50", "long_new", "short_new", 1.2)
    figures.ratio("history 200 / history 10, nothing new, p50", "long", "short", 1.2)
    figures.ratio("straightforward stack / ours, p50", "straightforward", "long", 5, at_least=True)


def _after_recording(
    figures: Figures, client: Client, service: Recommender, users: list[str], floor: Target
) -> None:
    after, echo = client.run(load.after_recording, service.server.address, users, floor)
    figures.latencies |= {"long_recorded": after, "echo after a pause": echo}
    what = "history 200 + 3 recorded 50 ms ago, first answer / echo, p50"
    figures.ratio(what, "long_recorded", "echo after a pause", 4)


def _stages(
    figures: Figures, client: Client, service: Recommender, kind: str, target: Target, effort: Effort
) -> None:
    before = service.stages()
    measured = client.run(load.plain, target, effort.rounds * effort.calls)
    means = service.stages().since(before).mean_us()
    figures.stages_us[kind] = stage_table(means, 1000 * measured.mean)
    missing = abs(figures.stages_us[kind]["beside the stages"]) / (1000 * measured.mean)
    figures.goal(f"{kind}: share of the total in no stage", missing, 0.05, "1 − stages − gRPC")


def _throughput(figures: Figures, client: Client, targets: dict[str, Target], effort: Effort) -> float:
    """With a worker for each core. Returns the peak of one worker with new interactions, requests/s.

    The median of the rounds: the machine's speed changes from one to another.
    """
    rates = client.run(load.many_clients, targets, CLIENTS, effort.rounds, 1.0)
    peaks = {name: median(each) for name, each in rates.items()}
    for name, rate in peaks.items():
        figures.others[f"{name}: requests/s, {CLIENTS} clients"] = rate
    for name in ("long_new", "long"):
        share = median(ours / floor for ours, floor in zip(rates[name], rates["echo"], strict=True))
        of = f"{peaks[name]:.0f} / {peaks['echo']:.0f} requests/s, {os.cpu_count()} workers"
        figures.goal(f"{name}: {CLIENTS} clients / echo", share, 0.25, of, at_least=True)
    return peaks["one worker"]


def _open_loop(
    figures: Figures, client: Client, service: Recommender, target: Target, rate: float, minutes: float
) -> None:
    before = service.server.resident_mb()
    measured = client.run(load.open_loop, target, rate, 60 * minutes)
    grown = service.server.resident_mb() - before
    figures.latencies["open loop"] = measured
    about = f"{measured.count:,} requests at {rate:.0f}/s"
    figures.goal("open loop, p99 / p50", measured.p99 / measured.p50, 4, about)
    figures.goal("open loop, errors", measured.errors, 0, about)
    figures.goal("open loop, memory grown, MB", grown, 5, f"from {before:.0f} MB")


def _swaps(
    figures: Figures, client: Client, service: Recommender, target: Target, rate: float, home: Path
) -> None:
    """Of short histories: the other release has no states of users, so each answer replays one."""
    releases = Path(ServingSettings(home=home).releases)
    with republished(releases) as another:
        swap(releases, another, service.release, times=2)  # the model server loads it: another matter
        asked = client.start(load.open_loop, target, rate, _SWAPPING_S)
        swap(releases, another, service.release, SWAPS)
        in_time = not asked.done()
        measured = asked.result()
    figures.latencies[f"{SWAPS} swaps"] = measured
    about = f"{measured.count:,} requests at {rate:.0f}/s" + ("" if in_time else ", which ended before")
    figures.goal(f"{SWAPS} swaps under load, longest answer, ms", measured.longest, 100, about)
    figures.goal(f"{SWAPS} swaps under load, errors", measured.errors, 0, about)


def _resources(figures: Figures, service: Server) -> None:
    figures.goal("recommender's memory, MB", service.resident_mb(), 300, "resident, after all of this")
    figures.goal("start to ready, s", service.ready_s, 3, "until the health check says SERVING")


def measure_large(figures: Figures, home: Path, effort: Effort, client: Client) -> None:
    with _served(home) as (_, service):
        assert effort.large
        target = Target.of(service.server.address, groups(effort.large)["long_new"])
        client.run(load.answer, target)
        measured = client.run(load.one_client, {"large": target}, effort.rounds, effort.calls)
        figures.latencies["catalog of 1 million"] = measured["large"]
        figures.ratio("catalog of 1 million / of 3,706, p50", "catalog of 1 million", "long_new", 2.5)
        figures.others["catalog of 1 million: memory, MB"] = service.server.resident_mb()
        figures.others["catalog of 1 million: start to ready, s"] = service.server.ready_s


@contextmanager
def _served(home: Path) -> Iterator[tuple[Server, Recommender]]:
    models = str(Path(ServingSettings(home=home).releases, INTEREST_MODEL))
    with (
        server("serving.model_server", "--base-path", models, "--port", "0") as model_server,
        recommender(home, model_server.address) as service,
    ):
        yield model_server, service


def _make(home: Path, shape: Shape) -> Path:
    """Made in a process of its own, for TensorFlow's sake; one that stands already is taken."""
    if not (home / "made").exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        console.print(f"making a world of {shape.users:,} users and {shape.items:,} items in {home}")
        given = ["--users", str(shape.users), "--items", str(shape.items)]
        command = [sys.executable, "-m", "tests.benchmarks.world", str(home), *given]
        with Path(home.parent, f"{home.name}.log").open("w") as log:
            subprocess.run(command, check=True, stdout=log, stderr=log)
        (home / "made").touch()
    return home


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--home", type=Path, default=Path(".penchant"), help="bench.json is written there")
    parser.add_argument("--quick", action="store_true", help="a small world, few requests, no large catalog")
    parser.add_argument("--minutes", type=float, help="of the open loop")
    parser.add_argument("--world", type=Path, help="keep the worlds there, and take them from there")
    given = parser.parse_args()
    effort = QUICK if given.quick else Effort()
    if given.minutes is not None:
        effort = Effort(effort.shape, effort.large, effort.rounds, effort.calls, given.minutes)
    with TemporaryDirectory() as temporary:
        worlds, client = (given.world or Path(temporary)).absolute(), Client()
        figures = measure(_make(worlds / f"{effort.shape.items}", effort.shape), effort, client)
        if effort.large:
            measure_large(figures, _make(worlds / f"{effort.large.items}", effort.large), effort, client)
    figures.show(console)
    figures.write(given.home / "bench.json")
    console.print(f"written to {given.home / 'bench.json'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
