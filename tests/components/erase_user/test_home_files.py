"""Files of a home lose a user of any id, and nothing else."""

import json
from pathlib import Path

import pytest

from components.erase_user.evaluations import erase_examples, erase_rows
from components.erase_user.home_files import erase_logs, erase_records
from components.errors import StepError
from components.evaluation_files import DOSSIER, FOLDER, PAGE
from components.run_record import RunRecord, StepRecord
from tests.components.erase_user.evaluation import write_evaluation


@pytest.mark.parametrize("user_id", ["196", "42", "ü<&>'1"])
def test_the_page_of_a_version_has_no_user_of_a_short_id(tmp_path: Path, user_id: str) -> None:
    write_evaluation(tmp_path / FOLDER, user_id)
    write_evaluation(tmp_path / "other" / FOLDER, "u0")
    assert "chose next" in (tmp_path / FOLDER / PAGE).read_text()
    assert (erase_examples(tmp_path, user_id), erase_rows(tmp_path, user_id)) == (1, 2)
    assert not (tmp_path / FOLDER / PAGE).exists()
    examples = json.loads((tmp_path / FOLDER / DOSSIER).read_text())["examples"]
    assert user_id not in [example["user_id"] for users in examples.values() for example in users]
    assert (tmp_path / "other" / FOLDER / PAGE).exists()
    assert (erase_examples(tmp_path, user_id), erase_rows(tmp_path, user_id)) == (0, 0)


@pytest.mark.parametrize(
    ("user_id", "before", "after"),
    [
        ("12", "2026-12-12 12:12:12 user 12, not 123: '12'", "2026-12-12 12:12:12 user **, not 123: '**'"),
        ("ü1", '{"user": "\\u00fc1"} ü1', '{"user": "*******"} ***'),
        ("a<b", "<td>a&lt;b</td> xa<b", "<td>******</td> xa<b"),
    ],
)
def test_a_log_keeps_its_length_and_its_writers(
    tmp_path: Path, user_id: str, before: str, after: str
) -> None:
    log = tmp_path / "serve-1" / "server.log"
    log.parent.mkdir()
    with log.open("a") as writer:
        writer.write(f"first\n{before}\n")
        writer.flush()
        assert erase_logs(tmp_path, user_id) == 1
        writer.write("last\n")
    assert log.read_text() == f"first\n{after}\nlast\n"
    assert erase_logs(tmp_path, user_id) == 0


def test_only_the_errors_of_a_record_are_changed(tmp_path: Path) -> None:
    folder = tmp_path / "7"
    folder.mkdir()
    step = StepRecord("Ingest", "7", "2026-07-07T07:07:07", 7, error="row of user 7")
    RunRecord("7", "training", "2026-07-07T07:07:07", "7", {"epochs": "7"}, error="7", steps=[step]).write(
        folder
    )
    assert (erase_records(tmp_path, "7"), erase_records(tmp_path, "7")) == (1, 0)
    step = StepRecord("Ingest", "7", "2026-07-07T07:07:07", 7, error="row of user (erased)")
    assert RunRecord.read(folder) == RunRecord(
        "7", "training", "2026-07-07T07:07:07", "7", {"epochs": "7"}, error="(erased)", steps=[step]
    )


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "run.json").write_text("{")
    with pytest.raises(StepError, match=r"7/run\.json is no JSON .*: delete it, then repeat this"):
        erase_records(tmp_path, "7")
