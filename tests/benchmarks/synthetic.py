"""The defaults on made-up shops of different character, beside counts of what follows what and of popularity.

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
from pipelines.benchmark.plan import make_plan
from pipelines.benchmark.results import MODELS, TABLE_METRICS
from pipelines.settings import load_settings
from tests.benchmarks.shops import SHOPS

# Where people have again what they had, it is answered again.
KEEPS_SEEN: Final = ("baskets",)


def benchmark(shop: str, folder: Path, seeds: int, console: Console) -> dict[str, Any]:
    """The document of a benchmark whose hyperparameters are all left to the defaults."""
    file = folder / f"{shop}.parquet"
    pq.write_table(SHOPS[shop]().table(), file)
    plan = make_plan("", file, None, 5, "leave-one-out", shop in KEEPS_SEEN, {})
    return run_benchmark(plan, seeds, load_settings(), console)


def table(found: dict[str, dict[str, Any]]) -> Table:
    """A row a model, for each shop its figures: means over the seeds."""
    seeds = ", ".join(map(str, next(iter(found.values()))["seeds"]))
    shown = Table("model", title="Made-up shops, test part", title_justify="left", caption_justify="left")
    shown.caption = f"leave-one-out, every hyperparameter by default, seeds {seeds}"
    for shop in found:
        for heading in TABLE_METRICS.values():
            shown.add_column(f"{shop} {heading}", justify="right")
    for model, (title, _) in MODELS.items():
        metrics = [document["models"][model]["metrics"] for document in found.values()]
        shown.add_row(
            title, *(f"{of_shop[name]['mean']:.4f}" for of_shop in metrics for name in TABLE_METRICS)
        )
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--shops", nargs="+", choices=SHOPS, default=SHOPS)
    parser.add_argument("--seeds", type=int, default=1, help="how many trainings a shop")
    parser.add_argument("--write", type=Path, help="a directory in which the interactions stay")
    given = parser.parse_args()
    console = Console()
    with TemporaryDirectory() as kept:
        folder = given.write or Path(kept)
        folder.mkdir(parents=True, exist_ok=True)
        found = {shop: benchmark(shop, folder, given.seeds, console) for shop in given.shops}
    console.print(table(found))


if __name__ == "__main__":
    main()
