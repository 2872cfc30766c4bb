"""What was measured, beside what is to be reached: a table for a person, and bench.json for a machine."""

import json
import os
import platform
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from feature_repo.atomic_files import write_text_atomically
from tests.benchmarks.load import Latencies

_SHOWN = ("p50", "p95", "p99", "p999")


@dataclass(frozen=True)
class Goal:
    """`value` is to be at most (or at least) `reach`; `of` says how it comes about."""

    what: str
    value: float
    reach: float
    of: str
    at_least: bool = False

    @property
    def reached(self) -> bool:
        return self.value >= self.reach if self.at_least else self.value <= self.reach


@dataclass
class Figures:
    """One run's."""

    goals: list[Goal] = field(default_factory=list)
    latencies: dict[str, Latencies] = field(default_factory=dict)
    stages_us: dict[str, dict[str, float]] = field(default_factory=dict)
    others: dict[str, float] = field(default_factory=dict)

    def goal(self, what: str, value: float, reach: float, of: str, at_least: bool = False) -> None:
        self.goals.append(Goal(what, value, reach, of, at_least))

    def ratio(self, what: str, name: str, to: str, reach: float, at_least: bool = False) -> None:
        """Of two p50s."""
        value, base = self.latencies[name].p50, self.latencies[to].p50
        self.goal(what, value / base, reach, f"{value:.3f} ms / {base:.3f} ms", at_least)

    def write(self, file: Path) -> None:
        """As JSON, with the machine it was measured on."""
        machine = {
            "cores": os.cpu_count(),
            "load_average": os.getloadavg(),
            "python": platform.python_version(),
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        goals = [{**asdict(goal), "reached": goal.reached} for goal in self.goals]
        content = {**asdict(self), "goals": goals, "machine": machine}
        write_text_atomically(file, json.dumps(content, indent=2))

    def show(self, console: Console) -> None:
        for table in (self._goals(), self._latencies(), *map(self._stages, self.stages_us), self._others()):
            console.print(table)
        console.print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")

    def _goals(self) -> Table:
        table = Table("what", "measured", "reach", "", "from", title="Goals")
        for goal in self.goals:
            bound = f"{'≥' if goal.at_least else '≤'} {goal.reach:g}"
            mark = "reached" if goal.reached else "MISSED"
            table.add_row(goal.what, f"{goal.value:.3g}", bound, mark, goal.of)
        return table

    def _latencies(self) -> Table:
        table = Table("ms", "requests", *_SHOWN, "errors", "degraded", title="Latencies")
        for name, measured in self.latencies.items():
            quantiles = (f"{getattr(measured, quantile):.3f}" for quantile in _SHOWN)
            table.add_row(
                name, f"{measured.count:,}", *quantiles, str(measured.errors), str(measured.degraded)
            )
        return table

    def _stages(self, name: str) -> Table:
        stages = self.stages_us[name]
        total = stages["client"]
        table = Table("stage", "µs", "share", title=f"Where each µs goes: {name}, means")
        for stage, us in stages.items():
            table.add_row(stage, f"{us:.0f}", f"{us / total:.0%}")
        return table

    def _others(self) -> Table:
        table = Table("what", "measured", title="Beside these")
        for what, value in self.others.items():
            table.add_row(what, f"{value:,.6g}")
        return table


def stage_table(means_us: dict[str, float], client_us: float) -> dict[str, Any]:
    """The stages, what the handler does beside them, gRPC around it, and their sum as the client sees it."""
    stages = {name: us for name, us in means_us.items() if name != "handler"}
    inside = sum(stages.values())
    return {
        **stages,
        "beside the stages": means_us["handler"] - inside,
        "gRPC": client_us - means_us["handler"],
        "client": client_us,
    }
