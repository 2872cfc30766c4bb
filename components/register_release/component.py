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
    run_facts: str = "",
    job_id: str = "",
) -> int:
    """Assemble the release and register it as the candidate; returns its version number."""
    import json
    from pathlib import Path

    from components.mlflow_client import mlflow_errors
    from components.register_release.registration import register
    from components.run_facts import write_facts

    with mlflow_errors(tracking_uri):
        number = register(
            Path(interest_model.path),
            Path(collaborative_filters.path),
            Path(items.path),
            Path(evaluation.path),
            tracking_uri,
            run_id,
            model_name,
            review_history,
        )
    verdict = json.loads(Path(evaluation.path, "metrics.json").read_text())["gate_decision"]
    write_facts(run_facts, job_id, "register", version=number, verdict=verdict)
    return number
