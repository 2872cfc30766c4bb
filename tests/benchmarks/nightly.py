"""Measures a night with few new interactions beside a run on everything, step by step, on synthetic data.

python -m tests.benchmarks.nightly [--users 6040] [--items 3700] [--interactions 1000000] [--new-share 0.01]

The first run trains from random weights, as the first run of a home does, and its release is approved. The
second one gets the newest interactions as a file of their own, and starts from the first one's weights, as a
schedule does.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from components.run_record import RunRecord, StepRecord
from pipelines.local_run.runner import run_locally
from pipelines.pipeline_arguments import parse_hyperparameters, training_arguments
from pipelines.review.decisions import approve
from pipelines.settings import Settings, load_settings
from pipelines.synthetic_data.writer import Size, write
from pipelines.training_pipeline import training

# As the shape of MovieLens-1M.
SIZE: Final = Size(6_040, 3_700, 1_000_000)


def make(folder: Path, size: Size, new_share: float) -> dict[str, str]:
    """Write the data set, and its older and newer interactions; return name -> file."""
    write(folder / "data", size, 7)
    rows = ds.dataset(folder / "data" / "interactions").to_table().sort_by("timestamp")
    old = round(len(rows) * (1 - new_share))
    for name, part in (("old", rows[:old]), ("new", rows[old:])):
        pq.write_table(part, folder / f"{name}.parquet")
    active = pc.count_distinct(rows["user_id"][old:]).as_py()
    print(f"{len(rows) - old:,} of {len(rows):,} interactions are new, of {active:,} of {size.users:,} users")
    files = {name: folder / f"{name}.parquet" for name in ("old", "new")}
    files |= {name: folder / "data" / f"{name}.parquet" for name in ("items", "users")}
    return {name: str(file) for name, file in files.items()}


def run(settings: Settings, sources: dict[str, str], hyperparameters: dict[str, Any]) -> list[StepRecord]:
    """Run the training pipeline; return its steps."""
    arguments = training_arguments(settings, "time", 0.05, hyperparameters) | {"policy": "review"}
    files = {f"{name}_file": url for name, url in sources.items()}
    return RunRecord.read(run_locally(training, settings, arguments | files)).steps


def compare(full: list[StepRecord], night: list[StepRecord]) -> Table:
    """Return a table with the CPU seconds and the peak memory of each step of both runs."""
    table = Table("step", title="A run on everything, and a night", title_justify="left")
    for heading in ("full: CPU s", "night: CPU s", "of all", "full: GB", "night: GB"):
        table.add_column(heading, justify="right")
    costs = {step.name: step for step in full}
    total = sum(step.cpu_seconds or 0 for step in night)
    for step in night:
        before, seconds = costs.get(step.name), step.cpu_seconds or 0
        table.add_row(
            step.name,
            f"{before.cpu_seconds or 0:.1f}" if before else "",
            f"{seconds:.1f}",
            f"{seconds / total:.0%}",
            *(f"{(each.peak_bytes or 0) / 1e9:.2f}" if each else "" for each in (before, step)),
        )
    whole = sum(step.cpu_seconds or 0 for step in full)
    table.add_row("all steps", f"{whole:.1f}", f"{total:.1f}", f"night / full: {total / whole:.2f}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name in ("users", "items", "interactions"):
        parser.add_argument(f"--{name}", type=int, default=getattr(SIZE, name))
    parser.add_argument("--new-share", type=float, default=0.01)
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="as `penchant run --set`")
    arguments = parser.parse_args()
    hyperparameters = parse_hyperparameters(arguments.set)
    with TemporaryDirectory() as name:
        folder, size = Path(name), Size(arguments.users, arguments.items, arguments.interactions)
        files, settings = make(folder, size, arguments.new_share), load_settings(home=folder / "home")
        tables = {name: files[name] for name in ("items", "users")}
        full = run(settings, {"interactions": files["old"], **tables}, hyperparameters)
        approve(settings, 1, "benchmark", "to start the night from its weights", force=True)
        night = run(settings, {"interactions": files["new"]}, {**hyperparameters, "warm_start": True})
    Console(width=110).print(compare(full, night))


if __name__ == "__main__":
    main()
