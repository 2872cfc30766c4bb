"""The steps of a benchmark.

`python -m pipelines.benchmark.steps HOME STEP [SEED]` runs one step in a process of its own.
Each calls the steps of the training pipeline. HOME holds their files:

plan.json  feedback.json  ingested/  core/  spine.parquet  training_set.parquet  filters/  interest-SEED/
evaluation-SEED/  refitted-filters/  refitted-interest-SEED/  refitted-SEED.json  tuning.json  study.json
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from components.errors import StepError
from feature_repo.atomic_files import atomic_directory, write_text_atomically
from feature_repo.contract import FEEDBACK
from feature_repo.feedback import FeedbackPolicy
from feature_repo.store_addresses import sqlite_url
from pipelines.benchmark.plan import Plan
from pipelines.peak_memory import peak_memory

if TYPE_CHECKING:
    from components.evaluate_release.data.held_out import HeldOut
    from serving.release.ranking_data import Ranking

FAILURE: Final = "failure.txt"
PEAK_MEMORY: Final = "peak_memory.txt"
TUNING, STUDY = "tuning.json", "study.json"


def prepare(home: Path, plan: Plan) -> None:
    """Ingest the data, reduce it to the k-core, build the features, and fetch the training set.

    If all interactions are positive, as in publications, equal times get an order as there too, or a random
    one.
    """
    from components.build_features.feature_tables import build
    from components.fetch_training_set.training_set import fetch
    from components.ingest_interactions.feedback.feedback_options import FeedbackOptions
    from components.ingest_interactions.ingestion import Outputs, Sources, ingest
    from feature_repo.store_addresses import FeatureStoreAddresses
    from pipelines.benchmark.file_order import order_equal_times
    from pipelines.benchmark.k_core import write_k_core

    warehouse = home / "warehouse"
    sources = Sources(plan.dataset, plan.interactions_file, plan.items_file)
    (home / "ingested").mkdir(exist_ok=True)
    outputs = Outputs(*_tables(home / "ingested"), home / FEEDBACK)
    options = FeedbackOptions.parse(plan.feedback)
    as_of = ingest(sources, options, str(warehouse), outputs)
    if options.all_positive:
        order_equal_times(str(warehouse), outputs.interactions, plan.tie_order)
    write_k_core(home / "ingested", home / "core", plan.min_interactions)
    spine = home / "spine.parquet"
    interactions, _, users = _tables(home / "core")
    data = interactions, users, _policy(home), as_of, plan.protocol, str(warehouse), spine
    features = build(*data, before_test=True)
    registry, online_store = str(home / "feast/registry.db"), str(home / "feast/online_store.db")
    addresses = FeatureStoreAddresses(features, registry, online_store)
    fetch(spine, addresses, home / "training_set.parquet")
    _create_tracking_database(home)


def filters(home: Path, plan: Plan) -> None:
    """Fit the collaborative filters on the training split."""
    _fit_filters(home, "train", home / "filters")


def refit_filters(home: Path, plan: Plan) -> None:
    """Fit them on the validation split too."""
    _fit_filters(home, "before_test", home / "refitted-filters")


def train(home: Path, plan: Plan, seed: int) -> dict[str, float]:
    """Train the interest model on the training split; return its metrics on the validation split."""
    return _train(home, plan, seed, "train", home / f"interest-{seed}", None)


def refit(home: Path, plan: Plan, seed: int) -> None:
    """Refit it on the validation split too, as a run refits it on everything."""
    base = home / f"interest-{seed}"
    _train(home, plan, seed, "before_test", home / f"refitted-interest-{seed}", base)


def evaluate(home: Path, plan: Plan, seed: int) -> None:
    """Fit the blend on the validation split, and evaluate every model on the test split."""
    from components.evaluate_release.measurement import measure
    from components.evaluate_release.report import result_files

    model = home / f"interest-{seed}"
    ranking, held_out = _assemble(home, model, home / "filters")
    results = measure(
        ranking, model / "saved_model", held_out, plan.protocol, str(home / "releases"), "review"
    )
    with atomic_directory(home / f"evaluation-{seed}") as staged:
        result_files.write_results(results, staged)


def evaluate_refit(home: Path, plan: Plan, seed: int) -> None:
    """Evaluate the refitted models on the test split, with the blend of those before."""
    from components.evaluate_release.measurement import measure_fitted

    model = home / f"refitted-interest-{seed}"
    ranking, held_out = _assemble(home, model, home / "refitted-filters")
    blend = json.loads((home / f"evaluation-{seed}/blend.json").read_text())
    measured = measure_fitted(replace(ranking, blend=blend), model / "saved_model", held_out)
    metrics = {
        name: {metric: figure.to_json() for metric, figure in figures.items()}
        for name, figures in measured.items()
    }
    write_text_atomically(home / f"refitted-{seed}.json", json.dumps(metrics))


def tune(home: Path, plan: Plan, seed: int) -> None:
    """Search hyperparameters of the interest model by its accuracy on the validation split."""
    from pipelines.benchmark.tuning import Data, Tuning, tune

    _, items, _ = _tables(home / "core")
    data = Data(home / "training_set.parquet", items, _policy(home))
    tuning = Tuning(**json.loads((home / TUNING).read_text()))
    study = tune(data, {**plan.hyperparameters, "seed": seed}, tuning, home / "trial")
    (home / STUDY).write_text(json.dumps(asdict(study)))


STEPS: Final[dict[str, Callable[..., object]]] = {
    step.__name__: step
    for step in (prepare, filters, refit_filters, train, evaluate, refit, evaluate_refit, tune)
}


def main() -> None:
    """Run a step; write its peak memory in bytes, or the message of a StepError, to a file in HOME."""
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


def _fit_filters(home: Path, split: str, output: Path) -> None:
    from components.train_collaborative_filters.fitting import fit

    _, items, users = _tables(home / "core")
    fit(home / "training_set.parquet", items, split, output, _policy(home), users=users)


def _train(
    home: Path, plan: Plan, seed: int, split: str, output: Path, base: Path | None
) -> dict[str, float]:
    from components.train_interest_model.experiment_tracking import tracked_run
    from components.train_interest_model.training import train

    _, items, _ = _tables(home / "core")
    hyperparameters = {**plan.hyperparameters, "seed": seed}
    with tracked_run(_tracking_uri(home), "benchmark", "", split) as tracker:
        data, policy = (home / "training_set.parquet", items), _policy(home)
        return train(*data, split, hyperparameters, output, base, tracker, policy)


def _assemble(home: Path, model: Path, filters: Path) -> "tuple[Ranking, HeldOut]":
    """Load a release whose blend is empty, and the queries."""
    from components.evaluate_release.data.held_out import HeldOut
    from components.evaluate_release.evaluation import assemble, keeps_seen

    _, items, users = _tables(home / "core")
    ranking, training_set = assemble(model, filters, items), home / "training_set.parquet"
    return ranking, HeldOut.read(training_set, ranking.catalog, _policy(home), keeps_seen(model), users)


def _tracking_uri(home: Path) -> str:
    return sqlite_url(home / "mlflow.db")


def _create_tracking_database(home: Path) -> None:
    """Make MLflow create its database now, so that the time of a training does not include it."""
    from components.mlflow_client import connect

    connect(_tracking_uri(home))


def _policy(home: Path) -> FeedbackPolicy:
    return FeedbackPolicy.read(home / FEEDBACK)


def _tables(folder: Path) -> tuple[Path, Path, Path]:
    return folder / "interactions.parquet", folder / "items.parquet", folder / "users.parquet"


if __name__ == "__main__":
    main()
