"""The whole evaluation: gate decision, files, report and MLflow."""

import csv
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mlflow import MlflowClient

from components.errors import StepError
from components.evaluate_online.off_policy_options import OffPolicyOptions
from components.evaluate_release.component import evaluate_release
from components.evaluate_release.dossier.facts import RunRecord
from components.evaluate_release.evaluation import evaluate
from components.fairness_policy import FairnessPolicy
from feature_repo.feedback import FeedbackPolicy
from feature_repo.table_schemas import TRAINING_SET
from tests.components.evaluate_release.ring_world import (
    LENGTH,
    MINUTE,
    N_ITEMS,
    N_USERS,
    START,
    publish,
    row,
)
from tests.feature_repo.planted import interactions_table, search


@dataclass(frozen=True)
class Tracking:
    """An MLflow run with a learning curve, as the training logs it."""

    client: MlflowClient
    uri: str
    run_id: str


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    root = tmp_path_factory.mktemp("mlflow")
    client = MlflowClient(f"sqlite:///{root}/mlflow.db")
    return client, client.create_experiment("e", str(root / "artifacts"))


def begin(store) -> Tracking:
    client, experiment = store
    run_id = client.create_run(experiment).info.run_id
    for epoch in range(3):
        client.log_metric(run_id, "loss", 3 - epoch, step=epoch)
        client.log_metric(run_id, "ndcg_at_10", 0.1 * epoch, step=epoch)
    return Tracking(client, client.tracking_uri, run_id)


def run(world, tracking, output):
    return evaluate(
        world.interest_model,
        world.filters,
        world.training_set,
        world.items,
        world.users,
        None,
        FeedbackPolicy(),
        "leave-one-out",
        str(output / "releases"),
        tracking.uri,
        tracking.run_id,
        RunRecord("auto"),
        evaluation=output / "evaluation",
        report=output / "report",
    )


@dataclass(frozen=True)
class Evaluated:
    output: Path
    tracking: Tracking
    gate_decision: str
    metrics: dict[str, float]

    def document(self) -> dict[str, Any]:
        return json.loads((self.output / "evaluation" / "metrics.json").read_text())


@pytest.fixture(scope="session")
def evaluated(world, store, tmp_path_factory) -> Evaluated:
    output, tracking = tmp_path_factory.mktemp("evaluated"), begin(store)
    decision, metrics = run(world, tracking, output)
    return Evaluated(output, tracking, decision.outcome, metrics)


def test_a_model_that_predicts_the_next_item_is_better(evaluated) -> None:
    metrics = evaluated.metrics
    assert evaluated.gate_decision == "undecided"  # the transitions are as good
    assert evaluated.document()["goes_live"]
    # served, interest and transitions rank the target first
    for name in ("ndcg_at_10", "hr_at_10", "mrr_at_20", "interest_ndcg_at_10", "transitions_ndcg_at_10"):
        assert metrics[name] == 1.0, name
    # all items are equally popular: the target ties with all unseen items and ranks last
    assert metrics["popularity_ndcg_at_10"] == 0.0
    assert metrics["precision_at_10"] == pytest.approx(0.1)
    assert metrics["f1_at_20"] == pytest.approx(2 / 21)


def test_a_model_that_predicts_less_than_the_live_version_is_worse(
    wrong_world, world, blend, store, tmp_path
) -> None:
    about = {"learned_until": START + 10 * MINUTE, "metrics": {}, "protocol": "leave-one-out"}
    publish(world, blend, tmp_path / "releases", **about)
    gate_decision, metrics = run(wrong_world, begin(store), tmp_path)
    assert (gate_decision.outcome, gate_decision.goes_live) == ("worse", False)
    assert metrics["ndcg_at_10"] < 0.5 * metrics["live_ndcg_at_10"]
    assert metrics["interest_ndcg_at_10"] == metrics["transitions_ndcg_at_10"] == 0.0


def test_the_evaluation_has_all_that_registering_reads(evaluated) -> None:
    held_out = evaluated.document()
    assert held_out["gate_decision"] == evaluated.gate_decision
    assert held_out["metrics"] == evaluated.metrics
    assert held_out["protocol"] == "leave-one-out"
    assert "no version is live yet" in held_out["reason"]
    assert isinstance(held_out["learned_until"], int)
    blend = json.loads((evaluated.output / "evaluation" / "blend.json").read_text())
    assert len(blend["features"]) == len(blend["weights"])


def test_metrics_json_has_counts_intervals_and_p_values(evaluated) -> None:
    held_out = evaluated.document()
    assert held_out["counts"]["test_queries"] == held_out["counts"]["test_users"] == N_USERS
    assert held_out["counts"]["items"] == N_ITEMS
    assert held_out["counts"]["test_targets_seen_before"] == 0
    assert held_out["models"]["served"]["ndcg_at_10"]["low"] == 1.0
    assert held_out["models"]["served"]["ndcg_at_10"]["p_value"] == 1.0
    assert held_out["p_values_against"] == "transitions"  # as good as the served ranking here
    assert held_out["models"]["popularity"]["ndcg_at_10"]["p_value"] < 0.001


def test_metrics_csv_has_a_row_for_each_model_metric_and_k(evaluated) -> None:
    with (evaluated.output / "evaluation" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    keys = {(row["model"], row["metric"], row["k"]) for row in rows}
    assert len(keys) == len(rows)
    for model in ("served", "interest", "transitions", "popularity"):
        assert {(model, "ndcg", "10"), (model, "coverage", "20"), (model, "miscalibration", "10")} <= keys


def test_the_report_is_a_self_contained_page(evaluated) -> None:
    page = (evaluated.output / "report").read_text()
    assert "Item &lt;5&gt;" in page  # titles are escaped
    assert page.count("<svg") >= 3
    assert "i3" in page  # an item without a title is shown by its id
    assert page.count('class="user"') == 20
    for outside in ("<script", "http-equiv", "<link", 'src="'):
        assert outside not in page


def test_mlflow_has_metrics_gate_decision_and_files(evaluated) -> None:
    client, run_id = evaluated.tracking.client, evaluated.tracking.run_id
    logged = client.get_run(run_id).data
    assert logged.metrics["test_ndcg_at_10"] == 1.0
    assert logged.metrics["ndcg_at_10"] == 0.2  # the training's metric is not overwritten
    assert logged.tags["gate_decision"] == "undecided"
    files = {artifact.path for artifact in client.list_artifacts(run_id, "evaluation")}
    assert {
        f"evaluation/{name}" for name in ("blend.json", "metrics.json", "metrics.csv", "report.html")
    } <= files


def test_each_attribute_of_the_users_is_a_slice(evaluated) -> None:
    parts = [part for part in evaluated.document()["slices"] if part["dimension"] == "user's group"]
    assert [(part["label"], part["queries"]) for part in parts] == [("b", 80), ("a", 40)]
    assert "By user&#39;s group" in (evaluated.output / "report").read_text()


def test_the_report_says_why_drift_was_not_measured(evaluated) -> None:
    drift = evaluated.document()["drift"]
    assert drift["kinds"] == {}
    assert "neither categories nor clusters give two item groups" in drift["why"]
    assert drift["why"] in (evaluated.output / "report").read_text()
    assert not any("drift" in name for name in evaluated.metrics)


def test_a_second_run_has_the_same_metrics_and_replaces_the_first(evaluated, world) -> None:
    output = evaluated.output
    before = sorted(path.name for path in output.iterdir())
    assert run(world, evaluated.tracking, output)[1] == evaluated.metrics
    assert sorted(path.name for path in output.iterdir()) == before


def basket_rows() -> list[dict[str, Any]]:
    """Return rows of users who buy three items a day, with dates only; the target is of the last day."""
    rows = []
    for user in range(N_USERS):
        items = [(user + number) % N_ITEMS for number in range(LENGTH)]
        times = [START + number // 3 * 24 * 60 * MINUTE for number in range(LENGTH)]
        rows.append(row(user, items, times, times[-1] + 1, "all"))
        for split, kept in (("train", 6), ("validation", 6), ("test", 9)):
            target = None if split == "train" else items[kept]
            rows.append(row(user, items[:kept], times[:kept], times[kept], split, target))
    return rows


def test_the_order_of_the_training_sets_rows_changes_no_metric(world, store, tmp_path) -> None:
    rows, metrics = basket_rows(), []
    shuffled = [rows[position] for position in np.random.default_rng(0).permutation(len(rows))]
    for name, ordered in (("sorted", rows), ("shuffled", shuffled)):
        other = type(world)(tmp_path / name)
        shutil.copytree(world.root, other.root)
        pq.write_table(pa.Table.from_pylist(ordered, TRAINING_SET), other.training_set)
        metrics.append(run(other, begin(store), tmp_path / f"{name}-out")[1])
    assert metrics[0] == metrics[1]
    assert metrics[0]["ndcg_at_10"] > 0.5


def test_the_live_version_is_measured_on_new_queries(world, blend, store, tmp_path) -> None:
    about = {"learned_until": START + 10 * MINUTE, "metrics": {}, "protocol": "leave-one-out"}
    publish(world, blend, tmp_path / "releases", **about)
    gate_decision, metrics = run(world, begin(store), tmp_path)
    assert (gate_decision.outcome, gate_decision.goes_live) == ("undecided", False)
    assert metrics["live_ndcg_at_10"] == 1.0
    page = (tmp_path / "report").read_text()
    assert "is not shown to differ from the live version 3" in page
    assert "on 110 new queries" in page
    assert "the live version as it is served, on the 110 queries that are newer than its data" in page
    assert "The evaluation of live version 3 is not there (its manifest names no MLflow run)." in page
    assert "The data of live version 3 are not known" in page
    assert "both versions by turns" in page


def test_artifacts_of_different_runs_are_refused(world, store, tmp_path) -> None:
    other = type(world)(tmp_path / "other")
    shutil.copytree(world.root, other.root)
    pq.write_table(pq.read_table(world.items).slice(0, 5), other.items)
    with pytest.raises(StepError, match="the same number of items everywhere"):
        run(other, begin(store), tmp_path)
    assert not (tmp_path / "evaluation").exists()


def test_the_component_returns_the_decision_and_logs_the_metrics(world, store, tmp_path) -> None:
    tracking = begin(store)
    parts = {
        name: Artifact(getattr(world, attribute))
        for name, attribute in {
            "interest_model": "interest_model",
            "collaborative_filters": "filters",
            "training_set": "training_set",
            "items": "items",
            "users": "users",
        }.items()
    }
    pq.write_table(interactions_table([search("u001", "item", 0)]), tmp_path / "interactions")
    parts["interactions"] = Artifact(tmp_path / "interactions")
    FeedbackPolicy().write(tmp_path / "feedback.json")
    pq.write_table(pa.table({"reasons": [["no user"], ["no user", "no item"]]}), tmp_path / "quarantine")
    metrics, report = Artifact(tmp_path / "metrics"), Artifact(tmp_path / "report")
    action = evaluate_release.python_func(
        **parts,
        feedback=Artifact(tmp_path / "feedback.json"),
        quarantine=Artifact(tmp_path / "quarantine"),
        validation=Artifact(tmp_path / "validation", rows=122.0, valid_rows=120.0, duplicate_rows=0.0),
        protocol="leave-one-out",
        releases=str(tmp_path / "releases"),
        tracking_uri=tracking.uri,
        run_id=tracking.run_id,
        policy="auto",
        pipeline_run="run-7",
        image="penchant/training:1",
        interaction_log=f"sqlite:///{tmp_path}/none.db",
        warehouse=str(tmp_path),
        off_policy=OffPolicyOptions().to_json(),
        fairness=FairnessPolicy("title", 0.5, 0.1, 0.2).to_json(),
        evaluation=Artifact(tmp_path / "evaluation"),
        metrics=metrics,
        report=report,
    )
    assert action == "push"
    assert metrics.logged["ndcg_at_10"] == 1.0
    assert report.path == str(tmp_path / "report.html")
    assert (tmp_path / "report.html").exists()
    facts = json.loads((tmp_path / "evaluation" / "facts.json").read_text())
    assert facts["quarantine"] == {"no user": 2, "no item": 1}
    assert facts["validation"]["rows"] == 122
    assert facts["clicks"] == {"refused": "no scenario explores"}
    fairness = facts["fairness"]
    assert {row["attribute"] for row in fairness["groups"]} == {gap["attribute"] for gap in fairness["gaps"]}
    assert fairness["provider_column"] == "title"
    assert sum(row["exposure"] for row in fairness["providers"]) == pytest.approx(1)
    balance = fairness["balance"]
    assert balance["gap_without"] == fairness["exposure_gap"]
    assert balance["gap_with"] <= max(balance["gap_without"], 0.2)
    offsets = json.loads((tmp_path / "evaluation" / "blend.json").read_text())["exposure_offsets"]
    assert (offsets["column"], offsets["bound"]) == ("title", 0.2)
    assert facts["privacy"] == {"pseudonyms": False}
    assert facts["ablation"]["queries"] == N_USERS
    assert facts["gate"]["reason"].endswith("; clicks were not used: no scenario explores")
    details = (tmp_path / "evaluation" / "details.html").read_text()
    assert "Calibrated on held-out choices, not on clicks: nothing was shown yet." in details
    assert (facts["lineage"]["pipeline_run"], facts["lineage"]["image"]) == ("run-7", "penchant/training:1")
    assert facts["lineage"]["tracking_run"] == tracking.run_id
    assert facts["data"]["interactions"] == N_USERS * LENGTH
    assert facts["serving"]["ranking_p50_ms"] > 0
    stored = {entry.path for entry in tracking.client.list_artifacts(tracking.run_id, "evaluation")}
    files = ("dossier.json", "details.html", "answers.parquet", "model_card.md", "user_page.md")
    assert {f"evaluation/{name}" for name in files} <= stored
    card = (tmp_path / "evaluation" / "model_card.md").read_text()
    assert "### Exposure of providers, by title" in card
    assert "moves the exposure gap from" in card
    assert "without pseudonyms" in card


class Artifact:
    """A fake of kfp's artifacts: a path, metadata, and logged metrics."""

    def __init__(self, path, **metadata: float) -> None:
        self.path, self.metadata, self.logged = str(path), metadata, dict[str, float]()

    def log_metric(self, name, value) -> None:
        self.logged[name] = value
