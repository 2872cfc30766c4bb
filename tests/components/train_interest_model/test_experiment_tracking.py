"""The MLflow run: started, continued by later steps, and marked when a step fails."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from components.train_interest_model.experiment_tracking import tracked_run


def test_a_run_is_started_continued_and_left_open(tracking_uri: str, tmp_path: Path) -> None:
    data = tmp_path / "rows.parquet"
    data.write_bytes(b"rows")
    with tracked_run(tracking_uri, "nights", "", "train") as tracker:
        tracker.log_params({f"p{number}": number for number in range(130)})
        tracker.log_metrics({"loss": 2.0, "ndcg": 0.1}, 1)
        tracker.log_metrics({"loss": 1.0, "ndcg": 0.2}, 2)
        tracker.log_dataset(data, "train", "4 bytes")
    with tracked_run(tracking_uri, "nights", tracker.run_id, "all") as again:
        again.log_artifact(data, "inputs")
    assert again.run_id == tracker.run_id
    client = MlflowClient(tracking_uri)
    run = client.get_run(tracker.run_id)
    assert run.info.status == "RUNNING"
    assert len(run.data.params) == 130
    assert run.data.metrics == {"loss": 1.0, "ndcg": 0.2}
    assert [point.step for point in client.get_metric_history(tracker.run_id, "loss")] == [1, 2]
    assert run.inputs.dataset_inputs[0].dataset.name == "rows.parquet"


def test_artifacts_of_a_sqlite_store_are_next_to_it(tracking_uri: str, tmp_path: Path) -> None:
    with tracked_run(tracking_uri, "nights", "", "train") as tracker:
        pass
    environment = list((tmp_path / "artifacts").rglob("environment.txt"))
    assert len(environment) == 1
    assert tracker.run_id in str(environment[0])
    assert "tensorflow==" in environment[0].read_text()


def test_a_failed_step_marks_its_run_as_failed(tracking_uri: str) -> None:
    with pytest.raises(RuntimeError), tracked_run(tracking_uri, "nights", "", "train") as tracker:
        raise RuntimeError
    assert MlflowClient(tracking_uri).get_run(tracker.run_id).info.status == "FAILED"
