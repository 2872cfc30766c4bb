"""The pipeline step that trains the collaborative filters."""

from kfp.dsl import Artifact, Dataset, Input, Model, Output

from components.component_decorator import component


@component
def train_collaborative_filters(
    training_set: Input[Dataset],
    items: Input[Dataset],
    users: Input[Dataset],
    feedback: Input[Artifact],
    split: str,
    ease_max_items: int,
    collaborative_filters: Output[Model],
) -> None:
    """Fit transitions, item and user neighbours, EASE, ALS, and the trends of user segments on one split."""
    from pathlib import Path

    from components.train_collaborative_filters.fitting import FilterParameters, fit
    from feature_repo.feedback import FeedbackPolicy

    fit(
        Path(training_set.path),
        Path(items.path),
        split,
        Path(collaborative_filters.path),
        FeedbackPolicy.read(Path(feedback.path)),
        FilterParameters(ease_max_items=ease_max_items),
        users=Path(users.path),
    )
