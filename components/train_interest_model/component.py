"""The pipeline step that trains the interest model."""

from typing import Optional

from kfp.dsl import Dataset, Input, Metrics, Model, Output

from components.component import component


@component
def train_interest_model(
    training_set: Input[Dataset],
    items: Input[Dataset],
    split: str,
    hyperparameters: dict,
    tracking_uri: str,
    experiment: str,
    interest_model: Output[Model],
    metrics: Output[Metrics],
    run_id: str = "",
    base_model: Optional[Input[Model]] = None,
) -> str:
    """Train on a split of the training set and track it in MLflow; returns the MLflow run."""
    from pathlib import Path

    from components.train_interest_model.tracking import tracked_run
    from components.train_interest_model.training import train

    with tracked_run(tracking_uri, experiment, run_id, split) as tracker:
        figures = train(
            Path(training_set.path),
            Path(items.path),
            split,
            hyperparameters,
            Path(interest_model.path),
            base_model=Path(base_model.path) if base_model else None,
            tracker=tracker,
        )
        for name, value in figures.items():
            metrics.log_metric(name, value)
        return tracker.run_id
