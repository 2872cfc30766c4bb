"""Each run has a folder of its own."""

from pathlib import Path

import pytest

from pipelines.local_run.run_folder import new_run_folder


def test_runs_of_one_second_have_different_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.strftime", lambda form: "20260102-030405")
    names = [new_run_folder(tmp_path, prefix).name for prefix in ("", "", "serve-", "")]
    assert names == ["20260102-030405", "20260102-030405-2", "serve-20260102-030405", "20260102-030405-3"]
