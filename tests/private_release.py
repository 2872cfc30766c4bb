"""What a release that was trained on drawn data recommends to real users, who are not in it.

python -m tests.private_release [movielens-100k] [--epsilon 8] [--users 20000] [--set epochs=3 …]

The last positive choice of each real user is held out before the data is drawn. Then a release is trained on
the drawn data as `penchant run` does, and served; each real user's earlier choices are the history of a
request. It prints NDCG@10 of the held-out choices, by the release and by the popularity of the drawn data.
"""

import argparse
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.ingest_interactions.feedback.feedback_options import FeedbackOptions
from components.ingest_interactions.ingestion import Outputs, Sources, ingest
from pipelines.local_run.runner import run_locally
from pipelines.pipeline_arguments import parse_hyperparameters, source_arguments, training_arguments
from pipelines.privacy.private_data import make_private_data
from pipelines.servers.servers import serve_live_release
from pipelines.settings import Settings
from pipelines.training_pipeline import training
from serving.client import Recommender

K: Final = 10
MIN_VALUE: Final = 4.0
HISTORY: Final = 100  # the newest choices of a user that a request has
CHOICES: Final = 50

Choices = dict[str, list[str]]  # user -> items, oldest first


def ingested(warehouse: Path, sources: Sources) -> Outputs:
    outputs = Outputs(*(warehouse.parent / name for name in ("interactions", "items", "users", "feedback")))
    ingest(sources, FeedbackOptions(min_value=MIN_VALUE), str(warehouse), outputs)
    return outputs


def split(folder: Path, dataset: str) -> tuple[Choices, dict[str, str], Sources]:
    """Return the users' earlier choices, their last ones, and the sources of all other interactions."""
    (folder / "all").mkdir()
    outputs = ingested(folder / "all" / "warehouse", Sources(dataset=dataset))
    table = pq.read_table(outputs.interactions).sort_by(
        [("timestamp", "ascending"), ("item_id", "ascending")]
    )
    positive = table.filter(pc.greater_equal(table["value"], MIN_VALUE))
    choices: Choices = {}
    for user, item in zip(positive["user_id"].to_pylist(), positive["item_id"].to_pylist(), strict=True):
        choices.setdefault(user, []).append(item)
    last = {user: items.pop() for user, items in choices.items() if len(items) > 1}
    held_out = pa.table({"user_id": list(last), "item_id": list(last.values())})
    kept = table.join(held_out, ["user_id", "item_id"], join_type="left anti")
    columns = ["user_id", "item_id", "event_type", "value", "timestamp"]
    pq.write_table(kept.select(columns), folder / "rest.parquet")
    sources = Sources(interactions_file=str(folder / "rest.parquet"), items_file=str(outputs.items))
    return {user: choices[user] for user in last}, last, sources


@contextmanager
def served(home: Path, drawn: Path, hyperparameters: list[str]) -> Iterator[Recommender]:
    """Train on the drawn data, whatever the gate says of it, and serve the release."""
    settings = Settings(home=home)
    arguments = training_arguments(settings, "time", 0.05, parse_hyperparameters(hyperparameters))
    arguments |= source_arguments("", str(drawn / "interactions.parquet"), str(drawn / "items.parquet"), "")
    run_locally(training, settings, arguments)
    with (
        serve_live_release(settings, 0, 0) as processes,
        Recommender(processes.recommender, timeout_s=30) as client,
    ):
        yield client


def gain(ranked: list[str], target: str) -> float:
    """Return NDCG@10 of one held-out item."""
    return float(1 / np.log2(ranked.index(target) + 2)) if target in ranked[:K] else 0.0


def measure(dataset: str, epsilon: float, users: int, hyperparameters: list[str], folder: Path) -> str:
    choices, targets, sources = split(folder, dataset)
    source = Settings(home=folder / "source")
    source.prepare_home()
    ingested(Path(source.warehouse), sources)
    make_private_data(source, folder / "drawn", epsilon, users, CHOICES)
    drawn = pq.read_table(folder / "drawn" / "interactions.parquet")["item_id"].to_pylist()
    popular = [item for item, _ in Counter(drawn).most_common()]
    gains = []
    with served(folder / "private", folder / "drawn", hyperparameters) as client:
        for user, target in targets.items():
            seen = set(choices[user])
            answer = client.recommend("", k=K, history=choices[user][-HISTORY:])
            unseen = [item for item in popular if item not in seen][:K]
            ranked = [each.item_id for each in answer.recommendations]
            gains.append((gain(ranked, target), gain(unseen, target)))
    release, popularity = np.mean(gains, axis=0).tolist()
    error = np.std([ours - theirs for ours, theirs in gains]) / len(gains) ** 0.5
    return (
        f"{dataset}, {len(gains):,} users, epsilon {epsilon:g}: NDCG@10 {release:.4f} by the release, "
        f"{popularity:.4f} by popularity: {release / popularity:.2f} times; difference "
        f"{release - popularity:+.4f} ± {1.96 * error:.4f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("dataset", nargs="?", default="movielens-100k")
    parser.add_argument("--epsilon", type=float, default=8.0)
    parser.add_argument("--users", type=int, default=20_000, help="of the drawn data")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="as `penchant run --set`")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        options = arguments.dataset, arguments.epsilon, arguments.users, arguments.set
        print(measure(*options, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
