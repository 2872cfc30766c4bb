"""Measures a night with few new interactions beside a run on everything: costs, step by step, and accuracy.

python -m tests.benchmarks.nightly movielens-1m [--new-share 0.01]
python -m tests.benchmarks.nightly [--users 6040] [--items 3700] [--interactions 1000000]    # synthetic

The night's home has had a run on the older interactions, whose release was approved. The night gets the
newest ones as a file of their own, and starts from the weights of that run, as a schedule does. The run on
everything has a home of its own, and starts from random weights.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from components.ingest_interactions.feedback.feedback_options import FeedbackOptions
from components.ingest_interactions.ingestion import Outputs, Sources, ingest
from components.run_record import RunRecord, StepRecord
from pipelines.local_run.runner import run_locally
from pipelines.pipeline_arguments import (
    feedback_arguments,
    parse_hyperparameters,
    source_arguments,
    training_arguments,
)
from pipelines.review.decisions import approve
from pipelines.settings import Settings, load_settings
from pipelines.synthetic_data.writer import Size, write
from pipelines.training_pipeline import training

# As the shape of MovieLens-1M.
SIZE: Final = Size(6_040, 3_700, 1_000_000)
COLUMNS: Final = ["user_id", "item_id", "event_type", "value", "timestamp"]


@dataclass(frozen=True)
class Run:
    """The steps of a run, and the NDCG@10 of the release and of the interest model alone."""

    steps: list[StepRecord]
    served: float
    interest: float

    @property
    def cpu_seconds(self) -> float:
        return sum(step.cpu_seconds or 0 for step in self.steps)

    @property
    def seconds(self) -> float:
        return sum(step.seconds or 0 for step in self.steps)


def read(folder: Path, dataset: str, size: Size) -> tuple[pa.Table, Path, Path]:
    """Return the interactions of a data set, or of one that is made, and the files of items and users."""
    if not dataset:
        write(folder / "data", size, 7)
        rows = ds.dataset(folder / "data" / "interactions").to_table()
        return rows, folder / "data" / "items.parquet", folder / "data" / "users.parquet"
    everything, items, users = (folder / f"{name}.parquet" for name in ("all", "items", "users"))
    outputs = Outputs(everything, items, users, folder / "feedback")
    ingest(Sources(dataset=dataset), FeedbackOptions(), str(folder / "warehouse"), outputs)
    return pq.read_table(everything).select(COLUMNS), items, users


def divide(folder: Path, rows: pa.Table, new_share: float) -> tuple[Path, Path]:
    """Write the older and the newer interactions to files."""
    rows = rows.sort_by("timestamp")
    old = round(len(rows) * (1 - new_share))
    files = folder / "old.parquet", folder / "new.parquet"
    for file, part in zip(files, (rows[:old], rows[old:]), strict=True):
        pq.write_table(part, file)
    users, active = (pc.count_distinct(part["user_id"]).as_py() for part in (rows, rows[old:]))
    print(f"{len(rows) - old:,} of {len(rows):,} interactions are new, of {active:,} of {users:,} users")
    return files


def run(settings: Settings, options: dict[str, Any], interactions: Path, *tables: Path) -> Run:
    """Run the training pipeline with files of interactions, and of items and users where given.

    `options`: the pipeline's parameters `hyperparameters` and `feedback`.
    """
    arguments = training_arguments(settings, "time", 0.05, {}) | {"policy": "review"} | options
    items, users = map(str, tables) if tables else ("", "")
    folder = run_locally(
        training, settings, arguments | source_arguments("", str(interactions), items, users)
    )
    (file,) = folder.glob("steps/*/evaluate-release/evaluation/metrics.json")
    metrics = json.loads(file.read_text())["metrics"]
    return Run(RunRecord.read(folder).steps, metrics["ndcg_at_10"], metrics["interest_ndcg_at_10"])


def compare(full: Run, night: Run) -> Table:
    """Return a table with the CPU seconds and the peak memory of each step of both runs."""
    table = Table("step", title="A run on everything, and a night", title_justify="left")
    for heading in ("full: CPU s", "night: CPU s", "of all", "full: GB", "night: GB"):
        table.add_column(heading, justify="right")
    costs, total = {step.name: step for step in full.steps}, night.cpu_seconds
    for step in night.steps:
        before, seconds = costs.get(step.name), step.cpu_seconds or 0
        table.add_row(
            step.name,
            f"{before.cpu_seconds or 0:.1f}" if before else "",
            f"{seconds:.1f}",
            f"{seconds / total:.0%}",
            *(f"{(each.peak_bytes or 0) / 1e9:.2f}" if each else "" for each in (before, step)),
        )
    whole = full.cpu_seconds
    table.add_row("all steps", f"{whole:.1f}", f"{total:.1f}", f"night / full: {total / whole:.3f}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("dataset", nargs="?", default="", help="else synthetic data are made")
    for name in ("users", "items", "interactions"):
        parser.add_argument(f"--{name}", type=int, default=getattr(SIZE, name))
    parser.add_argument("--new-share", type=float, default=0.01)
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="as `penchant run --set`")
    parser.add_argument("--all-positive", action="store_true", help="as `penchant run --all-positive`")
    arguments = parser.parse_args()
    options = {"hyperparameters": parse_hyperparameters(arguments.set)}
    options |= feedback_arguments(None, None, None, None, None, arguments.all_positive or None)
    with TemporaryDirectory() as name:
        folder, size = Path(name), Size(arguments.users, arguments.items, arguments.interactions)
        rows, *tables = read(folder, arguments.dataset, size)
        old, new = divide(folder, rows, arguments.new_share)
        pq.write_table(rows, everything := folder / "everything.parquet")
        settings = load_settings(home=folder / "home")
        run(settings, options, old, *tables)
        approve(settings, 1, "benchmark", "to start the night from its weights", force=True)
        full = run(load_settings(home=folder / "full"), options, everything, *tables)
        options["hyperparameters"] |= {"warm_start": True}
        night = run(settings, options, new)
    Console(width=110).print(compare(full, night))
    print(f"night / full: {night.seconds / full.seconds:.3f} of {full.seconds:.0f} seconds")
    for model in ("served", "interest"):
        one, other = getattr(full, model), getattr(night, model)
        print(f"NDCG@10, {model}: {one:.4f} by the run on everything, {other:.4f} by the night")


if __name__ == "__main__":
    main()
