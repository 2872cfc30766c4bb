"""The pipeline step that trains the interest model."""

from typing import Optional

from kfp.dsl import Artifact, Dataset, Input, Metrics, Model, Output

from components.component_decorator import component


@component
def train_interest_model(
    training_set: Input[Dataset],
    items: Input[Dataset],
    feedback: Input[Artifact],
    split: str,
    hyperparameters: dict,
    tracking_uri: str,
    experiment: str,
    warehouse: str,
    interest_model: Output[Model],
    metrics: Output[Metrics],
    run_id: str = "",
    base_model: Optional[Input[Model]] = None,
    releases: str = "",
    workers: int = 1,
) -> str:
    """Train on a split of the training set and track the run in MLflow; returns the MLflow run.

    `releases`: the release store of the live version, from whose training a warm start continues; the run
    then keeps the files that the next warm start needs. `workers`: processes that train together, on Kubeflow
    each in a pod; the warehouse has what they share meanwhile.
    """
    import tempfile
    from pathlib import Path

    from components.mlflow_client import mlflow_errors
    from components.train_interest_model.experiment_tracking import tracked_run
    from components.train_interest_model.hyperparameters import Hyperparameters
    from components.train_interest_model.training import train
    from components.train_interest_model.warm_start import fetch_base, log_base_model
    from components.train_interest_model.workers.chief_task import ChiefTask
    from components.train_interest_model.workers.placement import train_on_workers
    from feature_repo.feedback import FeedbackPolicy

    warm = bool(releases) and Hyperparameters.from_dict(hyperparameters).warm_start
    with (
        mlflow_errors(tracking_uri),
        tracked_run(tracking_uri, experiment, run_id, split) as tracker,
        tempfile.TemporaryDirectory() as folder,
    ):
        base = fetch_base(releases, tracker, Path(folder)) if warm else None
        task = ChiefTask(
            training_set=training_set.path,
            items=items.path,
            split=split,
            hyperparameters=hyperparameters,
            output=interest_model.path,
            base_model=base_model.path if base_model else None,
            feedback=FeedbackPolicy.read(Path(feedback.path)).to_json(),
            warm_start=str(base) if base else None,
            tracking_uri=tracking_uri,
            run_id=tracker.run_id,
        )
        if workers == 1:
            values = train(**task.arguments(), tracker=tracker)
        else:
            values = train_on_workers(task, workers, warehouse, Path(folder))
        if releases:
            log_base_model(Path(interest_model.path), tracker)
        for name, value in values.items():
            metrics.log_metric(name, value)
        return tracker.run_id
