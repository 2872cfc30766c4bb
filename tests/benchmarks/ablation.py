"""Compares the interest model with and without each of its inputs, a training for each row and seed.

python -m tests.benchmarks.ablation movielens-100k|FILE [--items FILE] [--keep-seen] [--seeds 3] [--home DIR]
"""

import statistics
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from components.train_interest_model.hyperparameters import Hyperparameters
from pipelines.benchmark.plan import Plan
from pipelines.benchmark.steps import train
from tests.benchmarks.prepared import prepared, source_parser

DEFAULTS: Final = "defaults"

# Row -> the hyperparameters that differ from the defaults.
ROWS: Final[dict[str, dict[str, bool | int | str]]] = {
    DEFAULTS: {},
    "without event types": {"use_event_types": False},
    "without values": {"use_values": False},
    "without time gaps": {"use_time_gaps": False},
    "without content": {"use_content": False},
    "items start from factors": {"item_start": "factors"},
    "items start at random": {"item_start": "random"},
    "one member": {"members": 1},
    "four members": {"members": 4},
    "with history mean": {"history_mean": "on"},
    "with projected history mean": {"history_mean": "projected"},
    "without history mean": {"history_mean": "off"},
    "seen items are negatives": {"seen_negatives": "on"},
    "seen items are no negatives": {"seen_negatives": "off"},
    "with positions": {"use_positions": True},
    "with user attributes": {"use_user_attributes": True},
    "items alone": {
        "use_event_types": False,
        "use_values": False,
        "use_time_gaps": False,
        "use_content": False,
    },
}

Metrics = Mapping[str, float]


def trained(home: Path, plan: Plan, changes: dict[str, bool | int | str], seed: int) -> Metrics:
    """Train on the data prepared in `home`; returns the validation metrics."""
    return train(home, replace(plan, hyperparameters={**plan.hyperparameters, **changes}), seed)


def table(source: str, seeds: list[int], rows: Mapping[str, list[Metrics]]) -> Table:
    """Return a table of means over the seeds; differences are taken seed by seed.

    Args:
        rows: the metrics of each seed, in the order of ROWS.
    """
    shown = Table(title=source, title_justify="left", caption_justify="left")
    seed_list = ", ".join(map(str, seeds))
    shown.caption = f"interest model alone, validation split, seeds {seed_list}: mean ± standard deviation"
    shown.add_column("inputs")
    for heading in ("NDCG@10", "difference", "HR@10"):
        shown.add_column(heading, justify="right")
    ndcg = {name: [metrics["validation_ndcg_at_10"] for metrics in each] for name, each in rows.items()}
    for name, of_seeds in rows.items():
        hit_rate = statistics.fmean(metrics["validation_hr_at_10"] for metrics in of_seeds)
        differences = [value - base for value, base in zip(ndcg[name], ndcg[DEFAULTS], strict=True)]
        difference = "" if name == DEFAULTS else _mean_and_deviation(differences, "+")
        shown.add_row(name, _mean_and_deviation(ndcg[name]), difference, f"{hit_rate:.4f}")
    return shown


def _mean_and_deviation(values: list[float], sign: str = "") -> str:
    spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):{sign}.4f}{spread}"


def main() -> None:
    parser = source_parser(__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="trainings for each row")
    arguments = parser.parse_args()
    first = Hyperparameters().seed
    seeds = list(range(first, first + arguments.seeds))
    with prepared(arguments) as (home, plan):
        rows = {
            name: [trained(home, plan, changes, seed) for seed in seeds] for name, changes in ROWS.items()
        }
    Console().print(table(arguments.source, seeds, rows))


if __name__ == "__main__":
    main()
