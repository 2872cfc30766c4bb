"""The steps of a benchmark, a process each: `python -m pipelines.benchmark.steps HOME STEP [SEED]`.

They call the pipeline's own steps; nothing of them is repeated here. All lies in HOME:

plan.json  ingested/  core/  spine.parquet  training_set.parquet  filters/  interest-SEED/  evaluation-SEED/
"""

import json
import os
import re
import resource
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from components.errors import StepError

FAILURE: Final = "failure.txt"
PEAK_MEMORY: Final = "peak_memory.txt"


@dataclass(frozen=True)
class Plan:
    """What is benchmarked, and how; sources as in ingest_interactions, "" for none."""

    dataset: str
    interactions_file: str
    items_file: str
    min_interactions: int
    protocol: str
    hyperparameters: dict[str, Any]


def prepare(home: Path, plan: Plan) -> None:
    """Ingest, keep the k-core, build the features, fetch the training set."""
    from components.build_features.features import build
    from components.fetch_training_set.training_set import fetch
    from components.ingest_interactions.ingestion import Sources, ingest
    from feature_repo.addresses import FeatureStoreAddresses
    from pipelines.benchmark.k_core import write_k_core

    warehouse = home / "warehouse"
    sources = Sources(plan.dataset, plan.interactions_file, plan.items_file)
    (home / "ingested").mkdir(exist_ok=True)
    as_of = ingest(sources, str(warehouse), *_tables(home / "ingested"))
    write_k_core(home / "ingested", home / "core", plan.min_interactions)
    spine = home / "spine.parquet"
    interactions, _, users = _tables(home / "core")
    features = build(interactions, users, as_of, plan.protocol, str(warehouse), spine)
    registry, online_store = str(home / "feast/registry.db"), str(home / "feast/online_store.db")
    addresses = FeatureStoreAddresses(features, registry, online_store)
    fetch(spine, addresses, home / "training_set.parquet")
    _make_tracking(home)


def filters(home: Path, plan: Plan) -> None:
    """Fit the collaborative filters on the training part."""
    from components.train_collaborative_filters.fitting import fit

    _, items, users = _tables(home / "core")
    fit(home / "training_set.parquet", items, "train", home / "filters", users=users)


def train(home: Path, plan: Plan, seed: int) -> dict[str, float]:
    """Train the interest model on the training part; the figures returned are of the validation part."""
    from components.train_interest_model.tracking import tracked_run
    from components.train_interest_model.training import train

    _, items, _ = _tables(home / "core")
    chosen = {**plan.hyperparameters, "seed": seed}
    output = home / f"interest-{seed}"
    with tracked_run(_tracking(home), "benchmark", "", "train") as tracker:
        return train(home / "training_set.parquet", items, "train", chosen, output, None, tracker)


def evaluate(home: Path, plan: Plan, seed: int) -> None:
    """Fit the blend on the validation part, then put the test part to every model."""
    from components.evaluate_release.data.held_out import HeldOut
    from components.evaluate_release.evaluation import assemble, keeps_seen
    from components.evaluate_release.measurement import measure
    from components.evaluate_release.report import result_files

    model = home / f"interest-{seed}"
    _, items, users = _tables(home / "core")
    ranking = assemble(model, home / "filters", items)
    held = HeldOut.read(home / "training_set.parquet", ranking.catalog, keeps_seen(model), users)
    results = measure(ranking, model / "saved_model", held, plan.protocol, str(home / "releases"))
    result_files.write_results(results, home / f"evaluation-{seed}")


STEPS: Final[dict[str, Callable[..., object]]] = {
    step.__name__: step for step in (prepare, filters, train, evaluate)
}


def main() -> None:
    """A StepError's message goes to HOME/failure.txt, else the bytes it took to HOME/peak_memory.txt."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    home, step, seeds = Path(sys.argv[1]), sys.argv[2], map(int, sys.argv[3:])
    plan = Plan(**json.loads((home / "plan.json").read_text()))
    try:
        STEPS[step](home, plan, *seeds)
    except StepError as error:
        (home / FAILURE).write_text(str(error))
        sys.exit(1)
    (home / PEAK_MEMORY).write_text(str(peak_memory()))


def peak_memory() -> int:
    """Bytes that this process held at most.

    Linux's getrusage counts what the parent held when it started this process; the kernel's VmHWM does not.
    """
    status = Path("/proc/self/status")
    if status.exists() and (found := re.search(r"VmHWM:\s*(\d+) kB", status.read_text())):
        return int(found[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _tracking(home: Path) -> str:
    return f"sqlite:///{home}/mlflow.db"


def _make_tracking(home: Path) -> None:
    """MLflow makes its database at the first contact; that is no part of a training's seconds."""
    from mlflow import MlflowClient

    MlflowClient(_tracking(home)).search_experiments()


def _tables(folder: Path) -> tuple[Path, Path, Path]:
    return folder / "interactions.parquet", folder / "items.parquet", folder / "users.parquet"


if __name__ == "__main__":
    main()
