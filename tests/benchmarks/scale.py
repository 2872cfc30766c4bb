"""Measures each step but the training epochs on synthetic data of any size: time, memory, rows.

python -m tests.benchmarks.scale [--interactions 1000000 …] [--steps NAME …] [--folder DIR]

A tenth as many users as interactions, a fiftieth as many items, unless --users and --items say otherwise.
Each step is a process of its own.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from components.compute.address import Compute, check_address
from feature_repo.feedback import FeedbackPolicy
from feature_repo.store_addresses import FeatureStoreAddresses
from pipelines.peak_memory import peak_memory
from pipelines.step_environment import VARIABLES
from pipelines.synthetic_data.writer import Size, write

INTERACTIONS_PER_USER: Final = 10
INTERACTIONS_PER_ITEM: Final = 50


# What `penchant data make` writes.
SOURCES: Final = ("interactions", "items.parquet", "users.parquet")


def size_of(arguments: argparse.Namespace, interactions: int) -> Size:
    """Return the size of a data set, with the users and items that were asked for, if any."""
    users = arguments.users or interactions // INTERACTIONS_PER_USER
    return Size(users, arguments.items or interactions // INTERACTIONS_PER_ITEM, interactions)


class Files:
    """The files of one size."""

    def __init__(self, folder: Path) -> None:
        self.data, self.warehouse = folder / "data", str(folder / "warehouse")
        self.interactions, self.valid = folder / "interactions.parquet", folder / "valid.parquet"
        self.items, self.users = folder / "items.parquet", folder / "users.parquet"
        self.feedback, self.as_of = folder / "feedback.json", folder / "as_of.json"
        self.spine, self.training_set = folder / "spine.parquet", folder / "training_set.parquet"
        self.filters, self.quarantine = folder / "filters", folder / "quarantine.parquet"
        self.docs = folder / "data_docs.html"
        self.interest_model, self.evaluation = folder / "interest_model", folder / "evaluation"
        self.tracking, self.releases = f"sqlite:///{folder}/mlflow.db", str(folder / "releases")
        self.report = folder / "report.html"
        self.features = f"{self.warehouse}/features"
        self.addresses = FeatureStoreAddresses(self.features, f"{folder}/registry.db", f"{folder}/online.db")

    @property
    def histories(self) -> Path:
        return Path(self.features, "user_history.parquet")

    def policy(self) -> FeedbackPolicy:
        return FeedbackPolicy.read(self.feedback)

    def time(self) -> int:
        return int(json.loads(self.as_of.read_text()))


def make(files: Files, size: Size, _: Compute) -> None:
    write(files.data, size, 7)


def ingest(files: Files, _: Size, __: Compute) -> None:
    from components.ingest_interactions.feedback.feedback_options import FeedbackOptions
    from components.ingest_interactions.ingestion import Outputs, Sources, ingest

    interactions, items, users = (str(files.data / name) for name in SOURCES)
    outputs = Outputs(files.interactions, files.items, files.users, files.feedback)
    as_of = ingest(Sources("", interactions, items, users), FeedbackOptions(), files.warehouse, outputs)
    files.as_of.write_text(json.dumps(as_of))


def validate(files: Files, _: Size, __: Compute) -> None:
    from components.validate_interactions.validation import validate

    tables = files.interactions, files.items, files.users
    validate(
        *tables,
        files.policy(),
        files.time(),
        files.warehouse,
        0.05,
        valid_interactions=files.valid,
        quarantine=files.quarantine,
        data_docs=files.docs,
    )


def features(files: Files, _: Size, compute: Compute) -> None:
    from components.build_features.feature_tables import build

    at, spine = files.time(), files.spine
    build(files.valid, files.users, files.policy(), at, "time", files.warehouse, spine, compute)


def training_set(files: Files, _: Size, compute: Compute) -> None:
    from components.fetch_training_set.training_set import fetch

    fetch(files.spine, files.addresses, files.training_set, compute)


def materialize(files: Files, _: Size, __: Compute) -> None:
    """Materialize into an empty store."""
    for file in files.data.parent.glob("online.db*"):
        file.unlink()
    materialize_again(files, _, __)


def materialize_again(files: Files, _: Size, __: Compute) -> None:
    """Materialize into a store that has everything already."""
    from components.materialize_features.materialization import materialize

    materialize(files.addresses, files.time())


def materialize_by_feast(files: Files, _: Size, __: Compute) -> None:
    """Materialize as Feast does, into a store of its own, for comparison."""
    from components.feast_backend import feast_backend
    from feature_repo.contract import USER_HISTORY, USER_PROFILE
    from feature_repo.store import open_store

    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=files.time())
    registry, online_store = (f"{files.data.parent}/feast_{name}.db" for name in ("registry", "online"))
    Path(online_store).unlink(missing_ok=True)
    with feast_backend(), redirect_stdout(sys.stderr):  # Feast prints a progress bar
        store = open_store(FeatureStoreAddresses(files.features, registry, online_store))
        store.materialize(at, at, [USER_HISTORY, USER_PROFILE])


def materialize_to_redis(files: Files, _: Size, __: Compute) -> None:
    from components.materialize_features.materialization import materialize
    from tests.serving.online_store.test_online_features import free_port, redis_server

    with redis_server(files.data.parent, free_port()) as online_store:
        materialize(replace(files.addresses, online_store=online_store), files.time())


def filters(files: Files, _: Size, __: Compute) -> None:
    from components.train_collaborative_filters.fitting import fit

    fit(files.training_set, files.items, "train", files.filters, files.policy(), users=files.users)


def interest_model(files: Files, _: Size, __: Compute) -> None:
    """Export an untrained interest model of the size that training would choose, for the evaluation."""
    from components.train_interest_model.export.saved_model_writer import export
    from components.train_interest_model.export.saved_weights import SavedWeights
    from components.train_interest_model.hyperparameters import Hyperparameters
    from components.train_interest_model.network.model import InterestModel
    from components.train_interest_model.training import PROBES
    from components.train_interest_model.training_start import prepare, start_fit

    training = (files.training_set, files.items, "train", Hyperparameters(), None, files.policy())
    data, settings, _base = start_fit(*training)
    prepare(settings)
    content = data.content.transform(data.catalog)
    model = InterestModel(settings, len(data.catalog), data.vocabulary.sizes, content)
    SavedWeights.of(model, data.vocabulary, data.content, 1).save(files.interest_model)
    filter_seen, probes = settings.seen_items == "filter", data.rows.slice(0, PROBES)
    export(model, data.vocabulary, filter_seen, probes, files.interest_model)


def evaluate(files: Files, _: Size, __: Compute) -> None:
    from components.evaluate_release.dossier.facts import RunRecord
    from components.evaluate_release.evaluation import evaluate
    from components.train_interest_model.experiment_tracking import start_run

    evaluate(
        files.interest_model,
        files.filters,
        files.training_set,
        files.items,
        files.users,
        files.valid,
        files.policy(),
        "time",
        files.releases,
        files.tracking,
        start_run(files.tracking, "scale"),
        RunRecord("auto"),
        evaluation=files.evaluation,
        report=files.report,
    )


# Step -> its function, its component, and the files whose rows it reads and writes.
Step = tuple[Callable[[Files, Size, Compute], None], str, str, str]
STEPS: Final[dict[str, Step]] = {
    "make": (make, "", "", ""),
    "ingest": (ingest, "ingest-interactions", "", "interactions"),
    "validate": (validate, "validate-interactions", "interactions", "valid"),
    "features": (features, "build-features", "valid", "histories"),
    "training-set": (training_set, "fetch-training-set", "spine", "training_set"),
    "materialize": (materialize, "materialize-features", "histories", ""),
    "materialize-again": (materialize_again, "materialize-features", "histories", ""),
    "materialize-redis": (materialize_to_redis, "materialize-features", "histories", ""),
    "materialize-by-feast": (materialize_by_feast, "materialize-features", "histories", ""),
    "filters": (filters, "train-collaborative-filters", "training_set", ""),
    "untrained-model": (interest_model, "train-interest-model", "training_set", ""),
    "evaluate": (evaluate, "evaluate-release", "training_set", ""),
}


def run_once(folder: Path, step: str, size: Size, compute: Compute) -> dict[str, float]:
    """Run a step in this process; returns its seconds, CPU seconds and peak bytes."""
    started = time.perf_counter()
    STEPS[step][0](Files(folder), size, compute)
    return {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time(),
        "peak_bytes": peak_memory(),
    }


def measure(folder: Path, step: str, size: Size, engine: str) -> dict[str, float]:
    """Run a step in a process of its own, with the environment that it has in a pipeline."""
    command = [sys.executable, "-m", "tests.benchmarks.scale", "--once", step, "--folder", str(folder)]
    for name, number in asdict(size).items():
        command += [f"--{name}", str(number)]
    command += ["--engine", engine]
    environment = os.environ | VARIABLES.get(STEPS[step][1], {})
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment)
    if done.returncode:
        raise SystemExit(f"step {step} failed on {size.interactions:,} interactions, see above")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def row(folder: Path, step: str, interactions: int, figures: dict[str, float]) -> list[str]:
    """Return the cells of a step."""
    files: Any = Files(folder)
    rows = (
        f"{pq.read_metadata(getattr(files, name)).num_rows:,}" if name else "" for name in STEPS[step][2:]
    )
    gigabytes = figures["peak_bytes"] / 1e9
    times = (f"{figures[name]:.1f}" for name in ("seconds", "cpu_seconds"))
    return [f"{interactions:,}", step, *times, f"{gigabytes:.2f}", *rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--interactions", type=int, nargs="+", default=[1_000_000, 3_000_000])
    for name, per in (("user", INTERACTIONS_PER_USER), ("item", INTERACTIONS_PER_ITEM)):
        parser.add_argument(f"--{name}s", type=int, help=f"without it {per} interactions for each {name}")
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--engine", type=check_address, default="duckdb", help="as PENCHANT_COMPUTE")
    parser.add_argument("--folder", type=Path, help="keep the data here, to measure single steps again")
    parser.add_argument("--once", choices=STEPS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        engine, size = Compute(arguments.engine), size_of(arguments, arguments.interactions[0])
        print(json.dumps(run_once(arguments.folder, arguments.once, size, engine)))
        return
    console, title = Console(width=110), "Steps by size of the data"
    table = Table(title=title, title_justify="left")
    for column in ("interactions", "step", "seconds", "CPU s", "peak GB", "rows in", "rows out"):
        table.add_column(column, justify="left" if column == "step" else "right")
    with TemporaryDirectory() as temporary:
        for interactions in arguments.interactions:
            folder = (arguments.folder or Path(temporary)) / str(interactions)
            folder.mkdir(parents=True, exist_ok=True)
            for step in arguments.steps:
                figures = measure(folder, step, size_of(arguments, interactions), arguments.engine)
                table.add_row(*(cells := row(folder, step, interactions, figures)))
                print(*cells, flush=True)
    console.print(table)


if __name__ == "__main__":
    main()
