"""A public protocol, trained and evaluated: the pipeline's steps, in a temporary home."""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.markup import escape

from components.ingest_interactions.datasets import REGISTRY
from components.progress import MARK
from components.train_interest_model.hyperparameters import Hyperparameters
from pipelines.benchmark.results import StepCost, results
from pipelines.benchmark.steps import FAILURE, PEAK_MEMORY, Plan
from pipelines.errors import RunError
from pipelines.settings import Settings

# Step -> its title; train and evaluate run once a seed.
TITLES: Final = {
    "prepare": "Prepare the data",
    "filters": "Train collaborative filters",
    "train": "Train interest model",
    "evaluate": "Evaluate",
}
LINES_OF_A_FAULT: Final = 15


def make_plan(
    dataset: str,
    interactions: Path | None,
    items: Path | None,
    min_interactions: int,
    protocol: str,
    keep_seen: bool,
    hyperparameters: dict[str, Any],
) -> Plan:
    """What a person asked for.

    Raises:
        ValueError: no source or two, a name that isn't known, or a hyperparameter that has its own option.
    """
    if bool(dataset) == bool(interactions):
        raise ValueError(f"give one of {', '.join(REGISTRY)}, or your own --interactions FILE, not both")
    if dataset and dataset not in REGISTRY:
        raise ValueError(f"unknown benchmark {dataset!r}: expected one of {', '.join(REGISTRY)}")
    if items and not interactions:
        raise ValueError("--items describes --interactions: give that too")
    if own := {"seed": "--seeds", "seen_items": "--keep-seen"}.keys() & hyperparameters.keys():
        raise ValueError(f"--set {', '.join(sorted(own))}: use --seeds and --keep-seen instead")
    for file in (interactions, items):
        if file and not file.exists():
            raise ValueError(f"no file {file}")
    chosen = {**hyperparameters, "seen_items": "keep" if keep_seen else "filter"}
    own_interactions, own_items = (str(file.absolute()) if file else "" for file in (interactions, items))
    return Plan(dataset, own_interactions, own_items, min_interactions, protocol, chosen)


def measure(plan: Plan, trainings: int, settings: Settings, console: Console) -> dict[str, Any]:
    """Run every step; returns the document that benchmark_results describes.

    Args:
        settings: a data set's archive, where its wheel isn't installed, stands in their warehouse.

    Raises:
        RunError: a step failed.
    """
    first = Hyperparameters().seed
    seeds = list(range(first, first + trainings))
    archives, code = Path(settings.warehouse) / "archives", commit()
    with tempfile.TemporaryDirectory(prefix="penchant-benchmark-") as folder:
        home = Path(folder)
        (home / "warehouse").mkdir()
        (home / "warehouse/archives").symlink_to(archives)
        (home / "plan.json").write_text(json.dumps(asdict(plan)))
        run = _Steps(home, archives, console)
        costs = [run("prepare"), run("filters")]
        for seed in seeds:
            costs += [run("train", seed), run("evaluate", seed)]
        evaluations = [json.loads((home / f"evaluation-{seed}/metrics.json").read_text()) for seed in seeds]
        data = json.loads((home / "core/counts.json").read_text())
    return results(plan, seeds, evaluations, costs, data, code)


@dataclass(frozen=True)
class _Steps:
    """Runs steps in processes of their own, and shows what they report."""

    home: Path
    archives: Path
    console: Console

    def __call__(self, step: str, seed: int | None = None) -> StepCost:
        title = TITLES[step] + ("" if seed is None else f", seed {seed}")
        command = [sys.executable, "-m", "pipelines.benchmark.steps", str(self.home), step]
        started = time.monotonic()
        with subprocess.Popen(
            command + ([] if seed is None else [str(seed)]),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            try:
                with self.console.status(f"{title} …"):
                    output = self._show(process)
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            raise RunError(f"{title} failed: {self._cause(process.returncode, output)}")
        cost = StepCost(step, seed, time.monotonic() - started, int((self.home / PEAK_MEMORY).read_text()))
        self.console.print(f"[green]✓[/] {title} [dim]{cost.told}[/]")
        return cost

    def _show(self, process: "subprocess.Popen[str]") -> list[str]:
        assert process.stdout is not None
        output = []
        for line in map(str.rstrip, process.stdout):
            output.append(line)
            if line.startswith(MARK):
                self.console.print(f"  {escape(line.removeprefix(MARK))}", style="dim", soft_wrap=True)
        return output

    def _cause(self, code: int, output: list[str]) -> str:
        failure = self.home / FAILURE
        if not failure.exists():
            return f"exit status {code}\n" + "\n".join(output[-LINES_OF_A_FAULT:])
        # The home is gone by then; what belongs into its archives belongs into the person's.
        return failure.read_text().replace(str(self.home / "warehouse/archives"), str(self.archives))


def commit() -> str | None:
    """The commit that this code is of, "-dirty" behind it where files differ; None outside its repository."""
    here = Path(__file__)
    git = ["git", "-C", str(here.parent)]
    try:
        subprocess.run([*git, "ls-files", "--error-unmatch", here.name], capture_output=True, check=True)
        described = subprocess.run(
            [*git, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip()
