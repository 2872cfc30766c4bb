"""Measures the default hyperparameters on synthetic shops, next to transition counts and popularity.

python -m tests.benchmarks.synthetic [--shops sessions baskets reviews] [--seeds 1] [--write DIR]
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from pipelines.benchmark.benchmark import run_benchmark
from pipelines.benchmark.kept_seeds import KeptSeeds
from pipelines.benchmark.plan import make_plan
from pipelines.benchmark.results import MODELS, TABLE_METRICS
from pipelines.settings import load_settings
from tests.benchmarks.shops import SHOPS

# Shops where users buy the same items again, so that seen items are recommended.
KEEPS_SEEN: Final = ("baskets",)


def benchmark(shop: str, folder: Path, seeds: int, console: Console) -> dict[str, Any]:
    """Run `penchant benchmark` with default hyperparameters; returns its document."""
    file = folder / f"{shop}.parquet"
    pq.write_table(SHOPS[shop]().table(), file)
    plan = make_plan("", file, None, 5, "leave-one-out", shop in KEEPS_SEEN, {}, {})
    kept = KeptSeeds.of(plan, folder)
    results = run_benchmark(plan, seeds, load_settings(), console, kept)
    kept.delete()
    return results


def table(documents: dict[str, dict[str, Any]]) -> Table:
    """Return a table with a row for each model, and the mean metrics of each shop."""
    seeds = ", ".join(map(str, next(iter(documents.values()))["seeds"]))
    shown = Table("model", title="Synthetic shops, test split", title_justify="left", caption_justify="left")
    shown.caption = f"leave-one-out, default hyperparameters, seeds {seeds}"
    for shop in documents:
        for heading in TABLE_METRICS.values():
            shown.add_column(f"{shop} {heading}", justify="right")
    for model, (title, _) in MODELS.items():
        metrics = [document["models"][model]["metrics"] for document in documents.values()]
        shown.add_row(
            title, *(f"{of_shop[name]['mean']:.4f}" for of_shop in metrics for name in TABLE_METRICS)
        )
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--shops", nargs="+", choices=SHOPS, default=SHOPS)
    parser.add_argument("--seeds", type=int, default=1, help="trainings for each shop")
    parser.add_argument("--write", type=Path, help="folder in which the interactions are kept")
    arguments = parser.parse_args()
    console = Console()
    with TemporaryDirectory() as temporary:
        folder = arguments.write or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        documents = {shop: benchmark(shop, folder, arguments.seeds, console) for shop in arguments.shops}
    console.print(table(documents))


if __name__ == "__main__":
    main()
