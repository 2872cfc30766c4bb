"""Measured figures next to their goals: tables for a person, and bench.json for a machine."""

import json
import os
import platform
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from feature_repo.atomic_files import write_text_atomically
from tests.benchmarks.load import Latencies

_QUANTILES: Final = ("p50", "p95", "p99", "p999")

# Key in bench.json -> name in the tables.
LABELS: Final = {
    "echo": "echo server",
    "echo_after_pause": "echo server, after a pause of 50 ms",
    "first_echo": "echo server, after a pause, in turn with first requests",
    "exposures": "history of 200, nothing new, exposures recorded",
    "forecast": "history of 200, 3 new interactions, forecast of five steps",
    "large": "catalog of 1 million items",
    "long": "history of 200, nothing new",
    "long_first": "history of 200, nothing new, first request of each user",
    "long_new": "history of 200, 3 new interactions",
    "long_new_first": "history of 200, 3 new interactions, first request of each user",
    "long_recorded": "first request of a user who recorded 3 interactions 50 ms earlier",
    "no_exposures": "history of 200, nothing new, exposures not recorded",
    "one_worker": "history of 200, 3 new interactions, one worker",
    "open_loop": "open loop",
    "record_to_answer": "recording an interaction and the next answer, together",
    "short": "history of 10, nothing new",
    "short_new": "history of 10, 3 new interactions",
    "straightforward": "straightforward stack",
    "swaps": "during release swaps",
}


@dataclass(frozen=True)
class Goal:
    """`value` must be at most `target`, or at least with `at_least`; `detail` says how it was measured."""

    name: str
    value: float
    target: float
    detail: str
    at_least: bool = False

    @property
    def is_met(self) -> bool:
        return self.value >= self.target if self.at_least else self.value <= self.target


@dataclass
class Figures:
    """The figures of one run of the benchmark."""

    goals: list[Goal] = field(default_factory=list)
    latencies: dict[str, Latencies] = field(default_factory=dict)
    stages_us: dict[str, dict[str, float]] = field(default_factory=dict)
    others: dict[str, float] = field(default_factory=dict)

    def goal(self, name: str, value: float, target: float, detail: str, at_least: bool = False) -> None:
        self.goals.append(Goal(name, value, target, detail, at_least))

    def ratio(self, name: str, measured: str, base: str, target: float, at_least: bool = False) -> None:
        """Add a goal for the ratio of the p50 of two measured latencies."""
        numerator, denominator = self.latencies[measured].p50, self.latencies[base].p50
        detail = f"{numerator:.3f} ms / {denominator:.3f} ms"
        self.goal(name, numerator / denominator, target, detail, at_least)

    def write(self, file: Path) -> None:
        """Write all figures and a description of the machine as JSON."""
        machine = {
            "cores": os.cpu_count(),
            "load_average": os.getloadavg(),
            "python": platform.python_version(),
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        goals = [{**asdict(goal), "is_met": goal.is_met} for goal in self.goals]
        content = {**asdict(self), "goals": goals, "machine": machine}
        write_text_atomically(file, json.dumps(content, indent=2))

    def show(self, console: Console) -> None:
        for table in (self._goals(), self._latencies(), *map(self._stages, self.stages_us), self._others()):
            console.print(table)
        console.print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")

    def _goals(self) -> Table:
        table = Table("figure", "measured", "target", "", "how", title="Goals")
        for goal in self.goals:
            bound = f"{'≥' if goal.at_least else '≤'} {goal.target:g}"
            table.add_row(
                goal.name, f"{goal.value:.3g}", bound, "met" if goal.is_met else "MISSED", goal.detail
            )
        return table

    def _latencies(self) -> Table:
        table = Table("requests of", "count", *_QUANTILES, "errors", "degraded", title="Latencies in ms")
        for key, measured in self.latencies.items():
            quantiles = (f"{getattr(measured, quantile):.3f}" for quantile in _QUANTILES)
            counts = (str(measured.errors), str(measured.degraded))
            table.add_row(LABELS[key], f"{measured.count:,}", *quantiles, *counts)
        return table

    def _stages(self, key: str) -> Table:
        stages = self.stages_us[key]
        total = stages["client"]
        table = Table("stage", "µs", "share", title=f"Mean time by stage: {LABELS[key]}")
        for stage, us in stages.items():
            table.add_row(stage, f"{us:.0f}", f"{us / total:.0%}")
        return table

    def _others(self) -> Table:
        table = Table("figure", "measured", title="Other figures")
        for name, value in self.others.items():
            table.add_row(name, f"{value:,.6g}")
        return table


def stage_table(means_us: dict[str, float], client_us: float) -> dict[str, Any]:
    """Return the µs of each stage, of the handler outside them, of gRPC, and of all as the client sees it."""
    stages = {name: us for name, us in means_us.items() if name != "handler"}
    return {
        **stages,
        "outside the stages": means_us["handler"] - sum(stages.values()),
        "gRPC": client_us - means_us["handler"],
        "client": client_us,
    }
