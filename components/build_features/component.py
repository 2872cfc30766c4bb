"""The pipeline step that computes feature tables from interactions."""

from kfp.dsl import Artifact, Dataset, Input, Output

from components.component_decorator import component


@component
def build_features(
    interactions: Input[Dataset],
    users: Input[Dataset],
    feedback: Input[Artifact],
    as_of: int,
    protocol: str,
    warehouse: str,
    compute: str,
    spark_properties: dict,
    spine: Output[Dataset],
) -> str:
    """Write histories and user profiles to the offline store; returns its location."""
    from pathlib import Path

    from components.build_features.feature_tables import build
    from components.compute.address import Compute
    from feature_repo.feedback import FeedbackPolicy

    return build(
        Path(interactions.path),
        Path(users.path),
        FeedbackPolicy.read(Path(feedback.path)),
        as_of,
        protocol,
        warehouse,
        Path(spine.path),
        Compute(compute, spark_properties),
    )
