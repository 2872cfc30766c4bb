"""Measures `penchant review list` in a home with many versions, next to what its imports alone take.

python -m tests.benchmarks.review_list [--versions 1000] [--calls 5]
"""

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from rich.console import Console
from rich.table import Table

from components.register_release.review_history import Act, ReviewHistory
from pipelines.settings import load_settings
from tests.end_to_end.commands import PENCHANT, environment

GOAL_S: Final = 1.0
_IMPORTS: Final = "import pipelines.cli, pipelines.settings, sqlalchemy, fsspec"
_FIGURES: Final = {
    "gate_decision": "better",
    "reason": "NDCG@10 0.1674 beats the best baseline, transition counts (0.1046)",
    "ndcg_at_10": "0.1674",
    "hr_at_10": "0.3086",
}


def fill(home: Path, versions: int) -> None:
    """Register, approve and push each version, in the review history alone."""
    settings = load_settings(home=home)
    settings.prepare_home()
    history = ReviewHistory(settings.review_history, settings.model_name)
    for version in range(1, versions + 1):
        history.append(Act.REGISTERED, version, f"run {version}", figures=_FIGURES)
        history.append(Act.APPROVED, version, "ada", "better", figures=_FIGURES)
        history.append(Act.PUSHED, version, "ada", "better", live=(version - 1 or None, version))


def measure(command: Sequence[str], home: Path, calls: int) -> tuple[float, float]:
    """Return the least seconds and the least CPU seconds of the calls of a command."""
    seconds, cpu = list[float](), list[float]()
    for _ in range(calls):
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, env=environment(home), check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - started)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(seconds), min(cpu)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.review_list")
    parser.add_argument("--versions", type=int, default=1_000)
    parser.add_argument("--calls", type=int, default=5, help="the fastest one counts")
    options = parser.parse_args()
    table = Table("command", "s", "CPU s", "wanted")
    with TemporaryDirectory(prefix="review-list-") as folder:
        home = Path(folder)
        fill(home, options.versions)
        listed, cpu = measure([str(PENCHANT), "review", "list"], home, options.calls)
        imports, imports_cpu = measure([sys.executable, "-c", _IMPORTS], home, options.calls)
    name = f"penchant review list, {options.versions:,} versions"
    table.add_row(name, f"{listed:.2f}", f"{cpu:.2f}", f"≤ {GOAL_S} s")
    table.add_row("of this: its imports", f"{imports:.2f}", f"{imports_cpu:.2f}", "")
    Console(width=120).print(table)
    return int(listed > GOAL_S)


if __name__ == "__main__":
    sys.exit(main())
