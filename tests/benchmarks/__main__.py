"""Measures the latency, throughput and memory of serving, next to an echo server on the same machine.

python -m tests.benchmarks [--home DIR] [--quick] [--minutes M] [--world DIR]

It prints a table of goals and writes every figure to bench.json.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

from rich.console import Console

from feature_repo.contract import INTEREST_MODEL
from serving.configuration.settings import ServingSettings
from tests.benchmarks import load
from tests.benchmarks.exposure_cpu import exposure_cpu_us
from tests.benchmarks.figures import LABELS, Figures, stage_table
from tests.benchmarks.load import Target
from tests.benchmarks.processes import Recommender, Server, recommender, server
from tests.benchmarks.swaps import republished, swap
from tests.benchmarks.world import Shape, groups

console = Console(width=120)

MOVIELENS_1M: Final = Shape()
LARGE: Final = Shape(users=1_800, items=1_000_000)
CLIENTS: Final = 16

# Release swaps under load, and the seconds within which they must all happen.
SWAPS: Final = 10
_SWAPPING_S: Final = 15.0


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    shape: Shape = MOVIELENS_1M
    large: Shape | None = LARGE
    rounds: int = 10
    calls: int = 190  # in each round, and of first requests
    minutes: float = 0.5


QUICK: Final = Effort(Shape(users=1_800, items=1_000), None, rounds=3, calls=100, minutes=0.1)


class LoadGenerator:
    """Runs the load generator in a process of its own, so that it shares no interpreter with a server."""

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(1, get_context("spawn"))

    def run(self, measure: Any, *arguments: Any) -> Any:
        return self.start(measure, *arguments).result()

    def start(self, measure: Any, *arguments: Any) -> "Future[Any]":
        return self._pool.submit(measure, *arguments)


def measure(home: Path, effort: Effort, generator: LoadGenerator) -> Figures:
    """Measure everything but the large catalog."""
    figures = Figures()
    with _served(home) as (models, service):
        users = groups(effort.shape)
        recorded, long_recorded = users.pop("recorded"), users.pop("long_recorded")
        targets = {kind: Target.of(service.server.address, ids) for kind, ids in users.items()}
        first = {kind: targets.pop(kind) for kind in ("long_new_first", "long_first")}
        answer = home / "answer.bin"
        answer.write_bytes(generator.run(load.answer, targets["long_new"]))
        with server("tests.benchmarks.echo", str(answer)) as echo_server:
            echo = Target(echo_server.address, targets["long_new"].requests)
            with server("tests.benchmarks.straightforward", str(home), models.address) as plain:
                straightforward = Target(plain.address, targets["long"].requests)
                forecast = Target.of_forecasts(service.server.address, users["long_new"])
                others = {"echo": echo, **targets, "forecast": forecast, "straightforward": straightforward}
                figures.latencies |= generator.run(load.one_client, others, effort.rounds, effort.calls)
            _one_client_goals(figures)
            _first_requests(figures, generator, first, echo, effort.calls)
            _after_recording(figures, generator, service, long_recorded, echo)
            for kind in ("long_new", "long"):
                _stages(figures, generator, service, kind, targets[kind], effort)
            with recommender(home, models.address, os.cpu_count() or 1) as several:
                compared = {"echo": echo} | {
                    kind: Target(several.server.address, targets[kind].requests)
                    for kind in ("long_new", "long")
                }
                peak = _throughput(figures, generator, compared | {"one_worker": targets["long_new"]}, effort)
        _exposures(figures, generator, home, models, targets["long"].requests, effort)
        _open_loop(figures, generator, service, targets["long_new"], peak / 2, effort.minutes)
        _swaps(figures, generator, service, targets["short_new"], peak / 4, home)
        figures.latencies["record_to_answer"] = generator.run(
            load.freshness, service.server.address, recorded
        )
        _resources(figures, service.server)
    return figures


def _one_client_goals(figures: Figures) -> None:
    figures.ratio("history of 200, 3 new: later requests / echo, p50", "long_new", "echo", 4)
    figures.ratio("history of 200, nothing new: later requests / echo, p50", "long", "echo", 3)
    figures.ratio("3 new: history of 200 / history of 10, p50", "long_new", "short_new", 1.2)
    figures.ratio("nothing new: history of 200 / history of 10, p50", "long", "short", 1.2)
    figures.ratio("forecast of five steps / recommendations, 3 new, p50", "forecast", "long_new", 5)
    figures.ratio("straightforward stack / recommender, p50", "straightforward", "long", 5, at_least=True)


def _first_requests(
    figures: Figures, generator: LoadGenerator, targets: dict[str, Target], echo: Target, calls: int
) -> None:
    """Measure users whom the service has not answered before, each after a pause."""
    figures.latencies |= generator.run(load.after_pauses, {"first_echo": echo, **targets}, calls)
    for kind, goal in (("long_first", 3.5), ("long_new_first", 5)):
        figures.ratio(f"{LABELS[kind]} / echo after a pause, p50", kind, "first_echo", goal)


def _after_recording(
    figures: Figures, generator: LoadGenerator, service: Recommender, users: list[str], echo: Target
) -> None:
    after, paused_echo = generator.run(load.after_recording, service.server.address, users, echo)
    figures.latencies |= {"long_recorded": after, "echo_after_pause": paused_echo}
    figures.ratio(f"{LABELS['long_recorded']} / echo, p50", "long_recorded", "echo_after_pause", 4)


def _stages(
    figures: Figures,
    generator: LoadGenerator,
    service: Recommender,
    kind: str,
    target: Target,
    effort: Effort,
) -> None:
    before = service.stages()
    measured = generator.run(load.plain, target, effort.rounds * effort.calls)
    means = service.stages().since(before).mean_us()
    figures.stages_us[kind] = stage_table(means, 1000 * measured.mean)
    share = abs(figures.stages_us[kind]["outside the stages"]) / (1000 * measured.mean)
    name = f"{LABELS[kind]}: share of the latency outside the stages"
    figures.goal(name, share, 0.05, "1 - stages - gRPC")


def _throughput(
    figures: Figures, generator: LoadGenerator, targets: dict[str, Target], effort: Effort
) -> float:
    """Measure the throughput with a worker for each core.

    Returns the peak rate of one worker, for users with new interactions, in requests/s. Rates are medians of
    the rounds, because the speed of the machine changes between rounds.
    """
    rates = generator.run(load.many_clients, targets, CLIENTS, effort.rounds, 1.0)
    peaks = {kind: median(each) for kind, each in rates.items()}
    for kind, rate in peaks.items():
        figures.others[f"{LABELS[kind]}: requests/s of {CLIENTS} clients"] = rate
    for kind in ("long_new", "long"):
        share = median(ours / base for ours, base in zip(rates[kind], rates["echo"], strict=True))
        detail = f"{peaks[kind]:.0f} / {peaks['echo']:.0f} requests/s, {os.cpu_count()} workers"
        name = f"{LABELS[kind]}: throughput of {CLIENTS} clients / echo"
        figures.goal(name, share, 0.25, detail, at_least=True)
    return peaks["one_worker"]


def _exposures(
    figures: Figures,
    generator: LoadGenerator,
    home: Path,
    models: Server,
    requests: tuple[bytes, ...],
    effort: Effort,
) -> None:
    """Measure what recording each answer's exposure costs: two recommenders, with and without it, in turn."""
    workers = os.cpu_count() or 1
    with (
        recommender(home, models.address, workers) as on,
        recommender(home, models.address, workers, PENCHANT_EXPOSURE_SHARE="0") as off,
    ):
        targets = {
            "exposures": Target(on.server.address, requests),
            "no_exposures": Target(off.server.address, requests),
        }
        figures.latencies |= generator.run(load.one_client, targets, effort.rounds, effort.calls)
        # More rounds, because one round differs from the next by as much as the two recommenders.
        rates = generator.run(load.many_clients, targets, CLIENTS, 3 * effort.rounds, 1.0)
        rate = median(rates["exposures"]) / 2
        growths = [
            _growth(generator, service.server, targets[kind], rate, effort.minutes)
            for kind, service in (("exposures", on), ("no_exposures", off))
        ]
    with_them, without = (figures.latencies[kind].p50 for kind in targets)
    detail = f"{with_them:.3f} - {without:.3f} ms"
    figures.goal("exposures recorded - not recorded, p50, ms", with_them - without, 0.1, detail)
    share = median(ours / base for ours, base in zip(*rates.values(), strict=True))
    detail = " / ".join(f"{median(each):.0f}" for each in rates.values()) + " requests/s"
    name = f"exposures recorded / not recorded, throughput of {CLIENTS} clients"
    figures.goal(name, share, 0.95, detail, at_least=True)
    detail = f"{growths[0]:.1f} - {growths[1]:.1f} MB in {effort.minutes:g} minutes at {rate:.0f} requests/s"
    name = "exposures recorded - not recorded, growth of memory, MB"
    figures.goal(name, growths[0] - growths[1], 10, detail)
    answering, writing = exposure_cpu_us(effort.rounds)
    figures.others["an exposure: CPU µs of the answer's thread"] = answering
    figures.others["an exposure: CPU µs of the writer's thread"] = writing


def _growth(generator: LoadGenerator, service: Server, target: Target, rate: float, minutes: float) -> float:
    """Return by how many MB the resident memory grows under load."""
    before = service.resident_mb()
    generator.run(load.open_loop, target, rate, 60 * minutes)
    return service.resident_mb() - before


def _open_loop(
    figures: Figures,
    generator: LoadGenerator,
    service: Recommender,
    target: Target,
    rate: float,
    minutes: float,
) -> None:
    before = service.server.resident_mb()
    measured = generator.run(load.open_loop, target, rate, 60 * minutes)
    growth = service.server.resident_mb() - before
    figures.latencies["open_loop"] = measured
    detail = f"{measured.count:,} requests at {rate:.0f}/s"
    figures.goal("open loop: p99 / p50", measured.p99 / measured.p50, 4, detail)
    figures.goal("open loop: errors", measured.errors, 0, detail)
    figures.goal("open loop: growth of memory, MB", growth, 5, f"from {before:.0f} MB")


def _swaps(
    figures: Figures,
    generator: LoadGenerator,
    service: Recommender,
    target: Target,
    rate: float,
    home: Path,
) -> None:
    """Swap releases under load of users with short histories.

    The other release has no interest states of users, so that each answer encodes the whole history.
    """
    releases = Path(ServingSettings(home=home).releases)
    with republished(releases) as other:
        # The model server loads the other release before anything is measured.
        swap(releases, other, service.release, times=2)
        running = generator.start(load.open_loop, target, rate, _SWAPPING_S)
        swap(releases, other, service.release, SWAPS)
        ended_too_early = running.done()
        measured = running.result()
    figures.latencies["swaps"] = measured
    detail = f"{measured.count:,} requests at {rate:.0f}/s"
    detail += ", which ended before the last swap" if ended_too_early else ""
    figures.goal(f"{SWAPS} release swaps: longest latency, ms", measured.longest, 100, detail)
    figures.goal(f"{SWAPS} release swaps: errors", measured.errors, 0, detail)


def _resources(figures: Figures, service: Server) -> None:
    figures.goal("memory of the recommender, MB", service.resident_mb(), 300, "resident, after all of this")
    figures.goal("start of the recommender, s", service.ready_s, 3, "until the health check says SERVING")


def measure_large(figures: Figures, home: Path, effort: Effort, generator: LoadGenerator) -> None:
    """Measure a catalog of a million items."""
    with _served(home) as (_, service):
        assert effort.large
        target = Target.of(service.server.address, groups(effort.large)["long_new"])
        generator.run(load.answer, target)
        measured = generator.run(load.one_client, {"large": target}, effort.rounds, effort.calls)
        figures.latencies["large"] = measured["large"]
        figures.ratio("catalog of 1 million items / of 3,706, p50", "large", "long_new", 2.5)
        figures.others["catalog of 1 million items: memory, MB"] = service.server.resident_mb()
        figures.others["catalog of 1 million items: start, s"] = service.server.ready_s


@contextmanager
def _served(home: Path) -> Iterator[tuple[Server, Recommender]]:
    """A model server and a recommender with one worker that serve `home`."""
    models = str(Path(ServingSettings(home=home).releases, INTEREST_MODEL))
    with (
        server("serving.model_server", "--base-path", models, "--port", "0") as model_server,
        recommender(home, model_server.address) as service,
    ):
        yield model_server, service


def _make(home: Path, shape: Shape) -> Path:
    """Make a world, in a process of its own because of TensorFlow; an existing one is used again."""
    if not (home / "made").exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        console.print(f"making a world of {shape.users:,} users and {shape.items:,} items in {home}")
        options = ["--users", str(shape.users), "--items", str(shape.items)]
        command = [sys.executable, "-m", "tests.benchmarks.world", str(home), *options]
        log = Path(home.parent, f"{home.name}.log")
        with log.open("w") as output:
            ended = subprocess.run(command, stdout=output, stderr=output)
        if ended.returncode:
            raise SystemExit(f"{home} could not be made:\n{log.read_text()}")
        (home / "made").touch()
    return home


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--home", type=Path, default=Path(".penchant"), help="folder for bench.json (default: .penchant)"
    )
    parser.add_argument("--quick", action="store_true", help="small data, few requests, no large catalog")
    parser.add_argument("--minutes", type=float, help="duration of each open loop (default: 0.5)")
    parser.add_argument("--world", type=Path, help="folder in which generated data are kept and reused")
    arguments = parser.parse_args()
    effort = QUICK if arguments.quick else Effort()
    if arguments.minutes is not None:
        effort = replace(effort, minutes=arguments.minutes)
    with TemporaryDirectory() as temporary:
        worlds, generator = (arguments.world or Path(temporary)).absolute(), LoadGenerator()
        figures = measure(_make(worlds / f"{effort.shape.items}", effort.shape), effort, generator)
        if effort.large:
            large = _make(worlds / f"{effort.large.items}", effort.large)
            measure_large(figures, large, effort, generator)
    figures.show(console)
    figures.write(arguments.home / "bench.json")
    console.print(f"written to {arguments.home / 'bench.json'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
