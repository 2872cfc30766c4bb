"""Dossiers of registered versions: what is kept is found again, and any two versions can be compared."""

import json
from pathlib import Path

import numpy as np
import pytest

from components.errors import StepError
from components.evaluate_release.dossier.registered import fetch_dossier
from components.evaluate_release.dossier.stored_evaluation import StoredEvaluation, fetch
from components.evaluate_release.dossier.version_comparison import compare_versions
from tests.components.evaluate_release.dossier.fake_tracking import fake_client
from tests.components.evaluate_release.dossier.stored import N_USERS, stored
from tests.components.evaluate_release.dossier.test_page import page


def test_two_versions_are_compared_on_the_queries_that_both_held_out(tmp_path: Path) -> None:
    tracking, client = fake_client(tmp_path)
    stored(5, shift=2).write(tracking.folder("old"))
    stored(1, hyperparameters={"epochs": "9", "seed": "7"}).write(tracking.folder("new"))
    dossier = compare_versions(client, (3, "old"), (8, "new"))
    assert dossier.version == 8
    row = dossier.page["against"]["rows"][0]
    assert (row["queries"], row["ours"], row["verdict"]) == (N_USERS, 1.0, "better")
    assert row["theirs"] == pytest.approx(1 / np.log2(6))
    assert dossier.page["hyperparameters"][0]["name"] == "epochs"
    html = dossier.render([])
    assert "<h1>Version 8 against version 3</h1>" in html
    assert "each version in its own run, maybe on different machines" in html
    # the other way round it is worse, by as much
    back = compare_versions(client, (8, "new"), (3, "old")).page["against"]["rows"][0]
    assert back["difference"] == pytest.approx(-row["difference"])


def test_versions_without_a_common_query_are_compared_in_the_rest(tmp_path: Path) -> None:
    tracking, client = fake_client(tmp_path)
    stored().write(tracking.folder("old"))
    other = stored()
    other.answers.cutoffs[:] += 1
    other.write(tracking.folder("new"))
    dossier = compare_versions(client, (3, "old"), (8, "new"))
    assert dossier.page["against"] is None
    assert dossier.page["data"]["mixes"]["event types"]["level"] == "small"
    assert "No query was held out in both evaluations." in dossier.render([])


def test_a_version_without_the_files_of_a_comparison_is_named(tmp_path: Path) -> None:
    tracking, client = fake_client(tmp_path)
    stored().write(tracking.folder("new"))
    (tracking.folder("old") / "metrics.json").write_text("{}")
    with pytest.raises(
        StepError, match=r"version 3 can't be compared: its MLflow run old has no answers\.parquet"
    ):
        compare_versions(client, (3, "old"), (8, "new"))
    assert "Run with id=gone not found" in str(fetch(client, "gone"))
    assert isinstance(fetch(client, "new"), StoredEvaluation)
    (tmp_path / "new" / "evaluation" / "items.parquet").write_bytes(b"damaged")
    assert "its MLflow run new can't be read" in str(fetch(client, "new"))


def test_what_another_format_says_is_not_misread(tmp_path: Path) -> None:
    tracking, client = fake_client(tmp_path)
    folder = tracking.folder("new")
    stored(format=0).write(folder)
    assert fetch(client, "new") == "its evaluation was stored in format 0, not 1"
    (folder / "dossier.json").write_text(json.dumps(page(format=0)))
    (folder / "details.html").write_text("")
    assert fetch_dossier(client, 7, "new") is None


def test_the_dossier_of_a_version_is_found_again(tmp_path: Path) -> None:
    tracking, client = fake_client(tmp_path)
    folder = tracking.folder("new")
    assert fetch_dossier(client, 7, "new") is None
    (folder / "dossier.json").write_text(json.dumps(page()))
    (folder / "details.html").write_text("<section>details</section>")
    dossier = fetch_dossier(client, 7, "new")
    assert dossier is not None
    assert dossier.page == page()
    assert "<section>details</section>" in dossier.render([])
