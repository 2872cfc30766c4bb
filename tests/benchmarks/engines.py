"""Compares the engines on a data set: the bytes of all files from the features to the filters, and the time.

.venv-spark/bin/python -m tests.benchmarks.engines [movielens-100k] [--engines duckdb 'local[2]'] [--release]

With --release the whole pipeline runs, and the files of the registered release are compared. The first engine
is the reference. Exit code 1 if a file of another one differs.
"""

import argparse
import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from components.build_features.feature_tables import build
from components.build_features.protocols import PROTOCOLS
from components.compute.address import Compute, check_address
from components.fetch_training_set.training_set import fetch
from components.ingest_interactions.feedback.feedback_options import FeedbackOptions
from components.ingest_interactions.ingestion import Outputs, Sources, ingest
from components.train_collaborative_filters.fitting import fit
from feature_repo.feedback import FeedbackPolicy
from feature_repo.store_addresses import FeatureStoreAddresses
from pipelines.local_run.runner import run_locally
from pipelines.pipeline_arguments import parse_hyperparameters, training_arguments
from pipelines.settings import load_settings
from pipelines.training_pipeline import training

# With TensorFlow's fast kernels two runs on several cores differ in the last bits of the weights.
REPEATABLE: Final = {"deterministic": True}


def prepare(folder: Path, dataset: str) -> tuple[Outputs, int]:
    """Ingest the data set; return its files and the time of the snapshot (µs)."""
    names = "interactions.parquet", "items.parquet", "users.parquet", "feedback.json"
    outputs = Outputs(*(folder / name for name in names))
    return outputs, ingest(Sources(dataset), FeedbackOptions(), str(folder / "ingested"), outputs)


def run(folder: Path, source: Outputs, as_of: int, protocol: str, compute: Compute) -> dict[str, str]:
    """Build the features, fetch the training set, and fit the filters; return each file's SHA-256."""
    spine, training_set, filters = (
        folder / "spine.parquet",
        folder / "training_set.parquet",
        folder / "filters",
    )
    feedback, warehouse = FeedbackPolicy.read(source.feedback), str(folder / "warehouse")
    folder.mkdir()
    features = build(source.interactions, source.users, feedback, as_of, protocol, warehouse, spine, compute)
    addresses = FeatureStoreAddresses(features, str(folder / "registry.db"), str(folder / "online.db"))
    fetch(spine, addresses, training_set, compute)
    fit(training_set, source.items, "train", filters, feedback, users=source.users)
    files = [spine, training_set, *Path(features).rglob("*.parquet"), *filters.rglob("*")]
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(files)
        if file.is_file()
    }


def release(
    home: Path, sources: Mapping[str, str], compute: Compute, hyperparameters: Mapping[str, Any] = {}
) -> dict[str, str]:
    """Run the training pipeline in an empty home; return the SHA-256 of each file of its release.

    Args:
        sources: parameters of the pipeline, such as `dataset`.
    """
    settings = load_settings(
        home=home, compute=compute.address, spark_properties=dict(compute.spark_properties)
    )
    arguments = training_arguments(settings, "time", 0.05, {**REPEATABLE, **hyperparameters})
    run_locally(training, settings, arguments | dict(sources))
    (manifest,) = home.glob("mlflow/**/release/ranking/manifest.json")
    files: dict[str, str] = json.loads(manifest.read_text())["files"]
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("dataset", nargs="?", default="movielens-100k")
    parser.add_argument("--engines", nargs="+", type=check_address, default=["duckdb", "local[2]"])
    parser.add_argument("--protocol", choices=PROTOCOLS, default="time")
    parser.add_argument("--release", action="store_true", help="run the whole pipeline, protocol time")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="of the whole pipeline")
    arguments = parser.parse_args()
    hyperparameters = parse_hyperparameters(arguments.set)
    with TemporaryDirectory() as name:
        folder, digests = Path(name), list[dict[str, str]]()
        source, as_of = prepare(folder, arguments.dataset)
        for number, engine in enumerate(arguments.engines):
            started = time.monotonic()
            target, compute = folder / f"engine-{number}", Compute(engine)
            if arguments.release:
                sources = {"dataset": arguments.dataset}
                digests.append(release(target, sources, compute, hyperparameters))
            else:
                digests.append(run(target, source, as_of, arguments.protocol, compute))
            print(f"{engine}: {time.monotonic() - started:.1f} s")
    different = 0
    for file, digest in digests[0].items():
        equal = all(other.get(file) == digest for other in digests)
        different += not equal
        print(f"{'equal' if equal else 'DIFFERENT':9} {digest[:16]} {file}")
    print(f"{len(digests[0])} files, {different} different")
    raise SystemExit(1 if different else 0)


if __name__ == "__main__":
    main()
