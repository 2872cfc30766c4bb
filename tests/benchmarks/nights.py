"""Measures nights in a row, each of which continues the weights of the one before.

python -m tests.benchmarks.nights movielens-100k|FILE [--nights 5] [--new-share 0.01] [--set NAME=VALUE …]

Before the first night the last fifth of the training interactions of random users is left out; each night
adds that of some users. The queries (leave-one-out) and their histories are the same for all trainings.
"""

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from components.evaluate_release.data.held_out import HeldOut
from components.evaluate_release.evaluation import assemble, keeps_seen
from components.evaluate_release.measurement import rank_by_single_models
from components.metrics.accuracy import ndcg
from components.model_names import INTEREST
from components.saved_model import SavedInterestModel
from components.train_interest_model.experiment_tracking import tracked_run
from components.train_interest_model.training import train
from feature_repo.contract import FEEDBACK
from feature_repo.feedback import FeedbackPolicy
from feature_repo.store_addresses import sqlite_url
from pipelines.benchmark.steps import filters
from pipelines.pipeline_arguments import parse_hyperparameters
from tests.benchmarks.prepared import prepared, source_parser

LISTS: Final = ("interaction_ids", "item_ids", "event_types", "values", "timestamps")
LACKING: Final = 0.2  # of a user's training interactions, at least one


@dataclass(frozen=True)
class Nights:
    """Trains in `home`, which holds a benchmark's prepared data."""

    home: Path
    hyperparameters: dict[str, Any]
    policy: FeedbackPolicy

    def learn(self, night: int, name: str, earlier: Path | None, table: Table) -> Path:
        """Train on what is known at night, add a row, and return the output."""
        output = self.home / name
        shutil.rmtree(output, ignore_errors=True)
        options = {**self.hyperparameters, "warm_start": earlier is not None}
        data = self.home / f"known-{night}.parquet", self.home / "core/items.parquet"
        started = time.process_time()
        with tracked_run(sqlite_url(self.home / "mlflow.db"), "nights", "", "train") as tracker:
            metrics = train(*data, "train", options, output, None, tracker, self.policy, earlier)
        seconds = time.process_time() - started
        figures = metrics["validation_ndcg_at_10"], self.measure(output)
        best, epochs = int(metrics["best_epoch"]), int(metrics["epochs"])
        table.add_row(name, f"{seconds:.0f}", f"{best} of {epochs}", *(f"{figure:.4f}" for figure in figures))
        return output

    def measure(self, model: Path) -> float:
        """Return the NDCG@10 of the interest model alone on the test split."""
        ranking = assemble(model, self.home / "filters", self.home / "core/items.parquet")
        rows = self.home / "training_set.parquet"
        queries = HeldOut.read(rows, ranking.catalog, self.policy, keeps_seen(model)).test
        with SavedInterestModel(model / "saved_model") as saved:
            interest = saved.interest(queries.histories, queries.attributes)
        return float(ndcg(rank_by_single_models(ranking, queries, interest)[INTEREST].ranks, 10).mean())


def lacking(rows: pa.Table, share: float) -> dict[str, int]:
    """Return how many of their last interactions random users lack, so that about `share` of all are lacking.

    Raises:
        ValueError: the users' ends are fewer.
    """
    sizes = pa.table({"user_id": rows["user_id"], "size": pc.list_value_length(rows["item_ids"])})
    users = sizes.group_by("user_id").aggregate([("size", "sum")]).sort_by("user_id")
    own = users["size_sum"].to_numpy()
    order = np.random.default_rng(7).permutation(len(own))
    ends = np.maximum(1, np.round(LACKING * own[order])).astype(int)
    wanted = share * own.sum()
    if wanted > ends.sum():
        raise ValueError(f"--nights × --new-share: expected at most {ends.sum() / own.sum():.2f}")
    chosen = int(np.searchsorted(np.cumsum(ends), wanted))
    names = users["user_id"].to_pylist()
    return {names[user]: int(end) for user, end in zip(order[:chosen], ends, strict=False)}


def shortened(rows: pa.Table, ends: Mapping[str, int]) -> pa.Table:
    """Return rows without the last `ends` interactions of users, and without the rows that this empties."""
    kept, left = [], dict(ends)
    for row in reversed(rows.sort_by([("user_id", "ascending"), ("cutoff", "ascending")]).to_pylist()):
        size = len(row["item_ids"])
        cut = min(size, left.get(row["user_id"], 0))
        left[row["user_id"]] = left.get(row["user_id"], 0) - cut
        if cut < size:
            kept.append(row | {name: row[name][: size - cut] for name in LISTS})
    return pa.Table.from_pylist(kept[::-1], schema=rows.schema)


def write_known(home: Path, nights: int, new_share: float) -> None:
    """Write what is known before the first night, and at each."""
    everything = pq.read_table(home / "training_set.parquet")
    is_known = pc.equal(everything["split"], "train")
    known, queries = everything.filter(is_known), everything.filter(pc.invert(is_known))
    for night in range(nights + 1):
        rows = shortened(known, lacking(known, (nights - night) * new_share))
        pq.write_table(pa.concat_tables([rows, queries]), home / f"known-{night}.parquet")


def main() -> None:
    parser = source_parser(__doc__)
    parser.add_argument("--nights", type=int, default=5)
    parser.add_argument("--new-share", type=float, default=0.01)
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="as `penchant run --set`")
    arguments = parser.parse_args()
    table = Table("", title=f"{arguments.source}: the interest model alone", title_justify="left")
    for heading in ("CPU s", "best epoch", "NDCG@10, validation", "test"):
        table.add_column(heading, justify="right")
    with prepared(arguments) as (home, plan):
        write_known(home, arguments.nights, arguments.new_share)
        filters(home, plan)
        options = {**plan.hyperparameters, **parse_hyperparameters(arguments.set)}
        nights = Nights(home, options, FeedbackPolicy.read(home / FEEDBACK))
        earlier = nights.learn(0, "before", None, table)
        for night in range(1, arguments.nights + 1):
            earlier = nights.learn(night, f"night {night}", earlier, table)
        nights.learn(arguments.nights, "everything, from random weights", None, table)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
