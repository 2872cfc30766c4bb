"""Runs a benchmark: the steps of the training pipeline, in a temporary home, once per seed and tie order.

Finished seeds are kept, see kept_seeds. A search of hyperparameters runs the same first step, and then its
trials.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from components.code_version import current_commit
from components.progress import MARK
from components.train_interest_model.hyperparameters import Hyperparameters
from feature_repo.store_addresses import sqlite_url
from pipelines.benchmark.kept_seeds import FinishedSeed, KeptSeeds
from pipelines.benchmark.plan import Plan
from pipelines.benchmark.results import StepCost, make_results
from pipelines.benchmark.steps import FAILURE, PEAK_MEMORY, STUDY, TUNING
from pipelines.errors import RunError
from pipelines.settings import Settings
from pipelines.step_environment import FEAST, KERAS, MEMORY, SAVED_MODEL

# The database of Optuna's studies, in the home.
STUDIES: Final = "tuning.db"

# Step -> environment variables; they override those of the user.
_VARIABLES: Final = {
    "prepare": FEAST,
    "train": KERAS | MEMORY,
    "refit": KERAS | MEMORY,
    "tune": KERAS | MEMORY,
    "evaluate": MEMORY | SAVED_MODEL,
    "evaluate_refit": MEMORY | SAVED_MODEL,
}

# Step -> display name. ONCE runs once for all seeds, PER_SEED for each seed.
ONCE: Final = ("prepare", "filters", "refit_filters")
PER_SEED: Final = ("train", "evaluate", "refit", "evaluate_refit")
DISPLAY_NAMES: Final = {
    "prepare": "Prepare the data",
    "filters": "Train collaborative filters",
    "refit_filters": "Refit collaborative filters",
    "train": "Train interest model",
    "evaluate": "Evaluate",
    "refit": "Refit interest model",
    "evaluate_refit": "Evaluate the refit",
    "tune": "Search hyperparameters",
}
# The end of the output of a step that failed without a StepError.
TAIL_LINES: Final = 15


def run_benchmark(
    plan: Plan, trainings: int, settings: Settings, console: Console, kept: KeptSeeds, tie_orders: int = 0
) -> dict[str, Any]:
    """Run every step; return the results, as `make_results` describes them.

    Args:
        trainings: the number of seeds.
        tie_orders: the number of random orders of equal times, each with every seed; 0: the source's order.
        settings: the archives of data sets are read from their warehouse.
        kept: its seeds are not trained again, and each finished one is added.

    Raises:
        RunError: a step failed.
    """
    settings.prepare_home()
    first_seed = Hyperparameters().seed
    seeds = list(range(first_seed, first_seed + trainings))
    archives, commit = Path(settings.warehouse) / "archives", current_commit()
    orders = range(1, tie_orders + 1) if tie_orders else [0]
    runs = [_run(replace(plan, tie_order=order), seeds, archives, console, kept) for order in orders]
    finished = [run[seed] for run in runs for seed in seeds]
    costs = [cost for run in runs for cost in _costs(run, seeds)]
    return make_results(plan, seeds, [seed.evaluation for seed in finished], costs, finished[0].data, commit)


def run_tuning(plan: Plan, minutes: float, settings: Settings, console: Console) -> dict[str, Any]:
    """Search hyperparameters for so many minutes; return the `tuning.Study` as JSON.

    The study is kept in the home, and its trials in the home's MLflow.

    Raises:
        RunError: a step failed, or no training was completed.
    """
    settings.prepare_home()
    seed, archives = Hyperparameters().seed, Path(settings.warehouse) / "archives"
    study, experiment = sqlite_url(settings.home / STUDIES), f"{settings.experiment}-tuning"
    tuning = {"minutes": minutes, "study": study, "tracking_uri": settings.tracking_uri}
    with _temporary_home(plan, archives) as home:
        (home / TUNING).write_text(json.dumps({**tuning, "experiment": experiment}))
        run_step = _StepRunner(home, archives, console)
        run_step("prepare")
        run_step("tune", seed)
        results: dict[str, Any] = json.loads((home / STUDY).read_text())
    return results


def _run(
    plan: Plan, seeds: list[int], archives: Path, console: Console, kept: KeptSeeds
) -> dict[int, FinishedSeed]:
    """Return the results of each seed, from `kept` or from a training."""
    if plan.tie_order:
        console.print(f"Equal times in random order {plan.tie_order}")
    finished = kept.read(plan.tie_order, seeds)
    if finished:
        numbers = ", ".join(map(str, finished))
        console.print(f"Not trained again, seed {numbers}: kept in {kept.folder} by an earlier run")
    if missing := [seed for seed in seeds if seed not in finished]:
        with _temporary_home(plan, archives) as home:
            run_step = _StepRunner(home, archives, console)
            preparation = [run_step(step) for step in ONCE]
            data = json.loads((home / "core/counts.json").read_text())
            for seed in missing:
                costs = [run_step(step, seed) for step in PER_SEED]
                evaluation = json.loads((home / f"evaluation-{seed}/metrics.json").read_text())
                evaluation["refitted"] = json.loads((home / f"refitted-{seed}.json").read_text())
                finished[seed] = FinishedSeed(evaluation, costs, data, preparation)
                kept.write(plan.tie_order, seed, finished[seed])
    return finished


def _costs(finished: dict[int, FinishedSeed], seeds: list[int]) -> list[StepCost]:
    """Return the costs of a tie order: the preparation once, as the run of the first seed measured it."""
    return finished[seeds[0]].preparation + [cost for seed in seeds for cost in finished[seed].costs]


@contextmanager
def _temporary_home(plan: Plan, archives: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="penchant-benchmark-") as folder:
        home = Path(folder)
        (home / "warehouse").mkdir()
        (home / "warehouse/archives").symlink_to(archives)
        (home / "plan.json").write_text(json.dumps(asdict(plan)))
        yield home


@dataclass(frozen=True)
class _StepRunner:
    """Runs each step in a process of its own, so that its peak memory is its own, and prints its progress."""

    home: Path
    archives: Path
    console: Console

    def __call__(self, step: str, seed: int | None = None) -> StepCost:
        name = DISPLAY_NAMES[step] + ("" if seed is None else f", seed {seed}")
        command = [sys.executable, "-m", "pipelines.benchmark.steps", str(self.home), step]
        started = time.monotonic()
        with subprocess.Popen(
            command + ([] if seed is None else [str(seed)]),
            env={**os.environ, **_VARIABLES.get(step, {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            try:
                with self.console.status(Text(f"{name} …")):
                    output = self._print_progress(process)
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            raise RunError(f"{name} failed: {self._cause(process.returncode, output)}")
        cost = StepCost(step, seed, time.monotonic() - started, int((self.home / PEAK_MEMORY).read_text()))
        self.console.print(Text.assemble(("✓", "green"), f" {name} ", (cost.summary, "dim")))
        return cost

    def _print_progress(self, process: "subprocess.Popen[str]") -> list[str]:
        assert process.stdout is not None
        output = []
        for line in map(str.rstrip, process.stdout):
            output.append(line)
            if line.startswith(MARK):
                self.console.print(f"  {line.removeprefix(MARK)}", style="dim", soft_wrap=True)
        return output

    def _cause(self, code: int, output: list[str]) -> str:
        failure = self.home / FAILURE
        if not failure.exists():
            return f"exit status {code}\n" + "\n".join(output[-TAIL_LINES:])
        # The temporary home is deleted when the user reads this; the link in it points to `archives`.
        return failure.read_text().replace(str(self.home / "warehouse/archives"), str(self.archives))
