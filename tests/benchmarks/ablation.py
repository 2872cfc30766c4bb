"""What each input of the interest model brings: as by default, then with one switched after the other.

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

DEFAULTS: Final = "as by default"

# Row -> what is set otherwise than by default.
ROWS: Final[dict[str, dict[str, bool]]] = {
    DEFAULTS: {},
    "without event types": {"use_event_types": False},
    "without values": {"use_values": False},
    "without time gaps": {"use_time_gaps": False},
    "without content": {"use_content": False},
    "with positions": {"use_positions": True},
    "with user attributes": {"use_user_attributes": True},
    "items alone": {
        "use_event_types": False,
        "use_values": False,
        "use_time_gaps": False,
        "use_content": False,
    },
}

Figures = Mapping[str, float]


def trained(home: Path, plan: Plan, switched: dict[str, bool], seed: int) -> Figures:
    """The validation figures of a training on what is prepared in `home`."""
    return train(home, replace(plan, hyperparameters={**plan.hyperparameters, **switched}), seed)


def table(source: str, seeds: list[int], rows: Mapping[str, list[Figures]]) -> Table:
    """Means over the seeds; differences are taken seed by seed.

    Args:
        rows: in ROWS' order, the figures of each seed.
    """
    shown = Table(title=source, title_justify="left", caption_justify="left")
    told = ", ".join(map(str, seeds))
    shown.caption = f"interest model alone, validation part, seeds {told}: mean ± standard deviation"
    shown.add_column("inputs")
    for heading in ("NDCG@10", "to the defaults", "HR@10"):
        shown.add_column(heading, justify="right")
    ndcg = {name: [figures["validation_ndcg_at_10"] for figures in found] for name, found in rows.items()}
    for name, found in rows.items():
        hit_rate = statistics.fmean(figures["validation_hr_at_10"] for figures in found)
        differences = [one - other for one, other in zip(ndcg[name], ndcg[DEFAULTS], strict=True)]
        apart = "" if name == DEFAULTS else _told(differences, "+")
        shown.add_row(name, _told(ndcg[name]), apart, f"{hit_rate:.4f}")
    return shown


def _told(values: list[float], sign: str = "") -> str:
    spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):{sign}.4f}{spread}"


def main() -> None:
    parser = source_parser(__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="how many trainings a row")
    given = parser.parse_args()
    first = Hyperparameters().seed
    seeds = list(range(first, first + given.seeds))
    with prepared(given) as (home, plan):
        rows = {
            name: [trained(home, plan, switched, seed) for seed in seeds] for name, switched in ROWS.items()
        }
    Console().print(table(given.source, seeds, rows))


if __name__ == "__main__":
    main()
