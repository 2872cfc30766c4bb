"""The pipeline step that registers a release in the model registry."""

from kfp.dsl import Artifact, Dataset, Input, Model

from components.component_decorator import component


@component
def register_release(
    interest_model: Input[Model],
    collaborative_filters: Input[Model],
    items: Input[Dataset],
    evaluation: Input[Artifact],
    tracking_uri: str,
    run_id: str,
    model_name: str,
    review_history: str,
) -> int:
    """Assemble the release and register it as the candidate; returns its version number."""
    from pathlib import Path

    from components.register_release.registration import register

    return register(
        Path(interest_model.path),
        Path(collaborative_filters.path),
        Path(items.path),
        Path(evaluation.path),
        tracking_uri,
        run_id,
        model_name,
        review_history,
    )
