"""The pipeline step that decides whether a release goes live."""

from kfp.dsl import HTML, Artifact, Dataset, Input, Metrics, Model, Output

from components.component_decorator import component


@component
def evaluate_release(
    interest_model: Input[Model],
    collaborative_filters: Input[Model],
    training_set: Input[Dataset],
    items: Input[Dataset],
    users: Input[Dataset],
    interactions: Input[Dataset],
    feedback: Input[Artifact],
    quarantine: Input[Dataset],
    validation: Input[Metrics],
    protocol: str,
    releases: str,
    tracking_uri: str,
    run_id: str,
    policy: str,
    pipeline_run: str,
    image: str,
    interaction_log: str,
    warehouse: str,
    off_policy: str,
    fairness: str,
    evaluation: Output[Artifact],
    metrics: Output[Metrics],
    report: Output[HTML],
) -> str:
    """Fit the blend on the validation split, measure on the test split; returns "push" or "hold"."""
    from pathlib import Path

    from components.evaluate_online.explored_answers import ExploredAnswers
    from components.evaluate_online.off_policy_options import OffPolicyOptions
    from components.evaluate_release.dossier.facts import RunRecord
    from components.evaluate_release.evaluation import evaluate
    from components.fairness_policy import FairnessPolicy
    from components.ingest_interactions.warehouse.manifest import Warehouse
    from components.ingest_interactions.warehouse.privacy_statement import privacy_of
    from components.mlflow_client import mlflow_errors
    from feature_repo.feedback import FeedbackPolicy

    explored = ExploredAnswers(interaction_log, warehouse, OffPolicyOptions.from_json(off_policy))
    watermarks = Warehouse(warehouse).watermarks
    record = RunRecord(
        policy,
        pipeline_run,
        image,
        validation.metadata,
        Path(quarantine.path),
        explored if explored.options.days else None,
        FairnessPolicy.from_json(fairness),
        bool(watermarks.pseudonym_key),
        privacy_of(watermarks),
    )
    # Browsers render a file as HTML by this ending.
    report.path += ".html"
    with mlflow_errors(tracking_uri):
        gate_decision, values = evaluate(
            Path(interest_model.path),
            Path(collaborative_filters.path),
            Path(training_set.path),
            Path(items.path),
            Path(users.path),
            Path(interactions.path),
            FeedbackPolicy.read(Path(feedback.path)),
            protocol,
            releases,
            tracking_uri,
            run_id,
            record,
            evaluation=Path(evaluation.path),
            report=Path(report.path),
        )
    for name, value in values.items():
        metrics.log_metric(name, value)
    return "push" if gate_decision.goes_live else "hold"
