"""Compares ways to compress the served model: a row for each, with size, latency and accuracy.

python -m tests.benchmarks.compression movielens-100k|FILE [--items FILE] [--keep-seen] [--seed 7] [--home D]
"""

import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from components import saved_model
from components.evaluate_release.data.held_out import HeldOut
from components.evaluate_release.evaluation import assemble, keeps_seen
from components.evaluate_release.measurement import measure
from components.train_interest_model.data.sequences import read_rows
from components.train_interest_model.export.saved_model_writer import export, histories
from components.train_interest_model.export.saved_weights import SavedWeights
from components.train_interest_model.hyperparameters import Hyperparameters
from components.train_interest_model.network.model import InterestModel
from components.train_interest_model.network.pruning import prune
from feature_repo.contract import FEEDBACK
from feature_repo.feedback import FeedbackPolicy
from feature_repo.histories import History
from pipelines.benchmark.steps import filters, train
from serving.ranking.nearest_items import NearestItems
from serving.release.arrays import FloatArray
from serving.release.item_embeddings import EMBEDDINGS, SCALES, Precision
from tests.benchmarks.prepared import prepared, source_parser

CATALOG: Final = 200_000  # the largest catalog that is searched exactly
PROBES: Final = 16
PRECISIONS: Final[tuple[Precision, ...]] = ("float32", "float16", "int8")
PRUNED: Final = (0.25, 0.5, 0.75, 0.9)


@dataclass(frozen=True)
class Row:
    """One way to compress: bytes, milliseconds, and the metrics of the test split."""

    name: str
    embeddings: int
    model_zipped: int  # pruned weights are zeros, which save space only when compressed
    encode_ms: float
    search_ms: float
    alone: tuple[float, float]  # NDCG@10 and HR@10 of the interest model alone
    served: tuple[float, float]  # NDCG@10 and HR@10 of the served ranking

    def __str__(self) -> str:
        return (
            f"{self.name:12}{self.embeddings / 1e3:14,.0f}{self.model_zipped / 1e3:14,.0f}"
            f"{self.encode_ms:11.2f}{self.search_ms:11.2f}"
            + "".join(f"{f:9.4f}" for f in (*self.alone, *self.served))
        )


HEADER: Final = (
    f"{'':12}{'embeddings kB':>14}{'model zip kB':>14}{'encode ms':>11}{'search ms':>11}"
    f"{'NDCG@10':>9}{'HR@10':>9}{'NDCG@10':>9}{'HR@10':>9}\n{'':62}{'interest alone':>18}{'as served':>18}"
)


def rebuilt(saved: SavedWeights, precision: Precision, pruned: float) -> InterestModel:
    """Rebuild the trained model with embeddings of `precision` and the share `pruned` of its kernels zero."""
    content = next(array for path, array in saved.arrays.items() if path.endswith("/content"))
    settings = replace(saved.hyperparameters, mixed_precision=False, embedding_precision=precision)
    model = InterestModel(settings, len(saved.vocabulary.item_ids), saved.vocabulary.sizes, content)
    for variable in model.weights:
        variable.assign(saved.arrays[variable.path])
    prune(model.encoder, pruned)
    return model


def row(home: Path, seed: int, output: Path, name: str, precision: Precision, pruned: float) -> Row:
    """Export the model to `output` and measure it on the test split."""
    interest = home / f"interest-{seed}"
    saved = SavedWeights.load(interest)
    rows = read_rows(home / "training_set.parquet", "train")
    filter_seen = not keeps_seen(interest)
    model = rebuilt(saved, precision, pruned)
    export(model, saved.vocabulary, filter_seen, rows.slice(0, PROBES), output)
    ranking = assemble(output, home / "filters", home / "core/items.parquet")
    held = HeldOut.read(
        home / "training_set.parquet", ranking.catalog, FeedbackPolicy.read(home / FEEDBACK), not filter_seen
    )
    releases = str(output / "none")
    figures = measure(
        ranking, output / "saved_model", held, "leave-one-out", releases, policy="review"
    ).metrics
    alone, served = (
        (figures[model]["ndcg_at_10"].value, figures[model]["hr_at_10"].value)
        for model in ("interest", "served")
    )
    longest = max(histories(rows.slice(0, 500)), key=len)
    return Row(
        name=name,
        embeddings=sum(
            file.stat().st_size for file in (output / EMBEDDINGS, output / SCALES) if file.exists()
        ),
        model_zipped=_zipped(output / "saved_model"),
        encode_ms=_encode_ms(output / "saved_model", longest),
        search_ms=_search_ms(ranking.item_embeddings, precision),
        alone=alone,
        served=served,
    )


def _zipped(directory: Path) -> int:
    files = [path for path in directory.rglob("*") if path.is_file() and "warmup" not in str(path)]
    return sum(len(zlib.compress(file.read_bytes(), 6)) for file in files)


def _encode_ms(directory: Path, history: History) -> float:
    with saved_model.SavedInterestModel(directory) as model:
        return _best_ms(lambda: model.interest([history]), 60)


def _search_ms(embeddings: FloatArray, precision: Precision) -> float:
    """Measure a search for the 500 nearest of CATALOG items: copies of the embeddings with some noise."""
    import faiss

    faiss.omp_set_num_threads(1)
    random = np.random.default_rng(0)
    many = np.resize(embeddings, (CATALOG, embeddings.shape[1]))
    many = (many + random.normal(0, 0.05, many.shape)).astype(np.float32)
    index = NearestItems(many, precision)
    return _best_ms(lambda: index.search(many[random.integers(CATALOG)], 500), 100)


def _best_ms(run: Callable[[], Any], times: int) -> float:
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        run()
        taken.append(time.perf_counter() - started)
    return 1e3 * min(taken)


def main() -> None:
    parser = source_parser(__doc__)
    parser.add_argument("--seed", type=int, default=Hyperparameters().seed)
    arguments = parser.parse_args()
    ways: list[tuple[str, Precision, float]] = [(precision, precision, 0.0) for precision in PRECISIONS]
    ways += [(f"pruned {share:.0%}", "float32", share) for share in PRUNED]
    with prepared(arguments) as (home, plan):
        filters(home, plan)
        train(home, plan, arguments.seed)
        rows = [row(home, arguments.seed, home / "compressed", *way) for way in ways]
    print(f"search: 500 nearest of {CATALOG:,} items; encode: the longest history; seed {arguments.seed}")
    print(HEADER, *rows, sep="\n")


if __name__ == "__main__":
    main()
