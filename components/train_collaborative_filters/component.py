"""The pipeline step that fits the collaborative filters."""

from kfp.dsl import Dataset, Input, Model, Output

from components.component import component


@component
def train_collaborative_filters(
    training_set: Input[Dataset], items: Input[Dataset], split: str, collaborative_filters: Output[Model]
) -> None:
    """Count transitions and compute item-item and user-based neighbours on a split of the training set."""
    from pathlib import Path

    from components.train_collaborative_filters.fitting import fit

    fit(Path(training_set.path), Path(items.path), split, Path(collaborative_filters.path))
