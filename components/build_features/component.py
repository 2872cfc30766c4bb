"""The pipeline step that turns interactions into feature tables."""

from kfp.dsl import Dataset, Input, Output

from components.component import component


@component
def build_features(
    interactions: Input[Dataset],
    items: Input[Dataset],
    users: Input[Dataset],
    as_of: int,
    protocol: str,
    warehouse: str,
    spine: Output[Dataset],
) -> str:
    """Compute histories, profiles and item statistics into the offline store; returns its location."""
    from pathlib import Path

    from components.build_features.features import build

    return build(
        Path(interactions.path),
        Path(items.path),
        Path(users.path),
        as_of,
        protocol,
        warehouse,
        Path(spine.path),
    )
