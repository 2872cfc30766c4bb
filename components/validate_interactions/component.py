"""The pipeline step that validates interactions."""

from kfp.dsl import HTML, Artifact, Dataset, Input, Metrics, Output

from components.component_decorator import component


@component
def validate_interactions(
    interactions: Input[Dataset],
    items: Input[Dataset],
    users: Input[Dataset],
    feedback: Input[Artifact],
    as_of: int,
    warehouse: str,
    max_failed_share: float,
    fairness: str,
    valid_interactions: Output[Dataset],
    quarantine: Output[Dataset],
    data_docs: Output[HTML],
    metrics: Output[Metrics],
) -> None:
    """Check interactions against the contract: quarantine failed rows, stop when too many fail."""
    from pathlib import Path

    from components.fairness_policy import FairnessPolicy
    from components.validate_interactions.validation import validate
    from feature_repo.feedback import FeedbackPolicy

    # Browsers tell a page from its source text by this ending.
    data_docs.path += ".html"
    counts = validate(
        Path(interactions.path),
        Path(items.path),
        Path(users.path),
        FeedbackPolicy.read(Path(feedback.path)),
        as_of,
        warehouse,
        max_failed_share,
        valid_interactions=Path(valid_interactions.path),
        quarantine=Path(quarantine.path),
        data_docs=Path(data_docs.path),
        provider_column=FairnessPolicy.from_json(fairness).provider_column,
    )
    for name, value in counts.items():
        metrics.log_metric(name, value)
