"""`penchant online`: the report, the export, and wrong windows."""

import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from pipelines.cli import app
from tests.components.evaluate_online.shown_world import event, write_log
from tests.serving.exposures.exposures import exposure


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose log has one answer of an hour ago, and a click and a purchase."""
    at_s = time.time() - 3600
    shown = exposure("r1", "u", ["tea", "milk"], round(at_s * 1_000_000))
    events = [event(1, "u", "tea", at_s + 1, request_id="r1"), event(2, "u", "milk", at_s + 9, "purchase")]
    monkeypatch.setenv("PENCHANT_INTERACTION_LOG", write_log(tmp_path, [shown], events))
    monkeypatch.setenv("PENCHANT_METRICS_TEXTFILES", str(tmp_path))
    return tmp_path


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["online", *arguments])
    return result.exit_code, " ".join(result.output.split())


def test_the_report_is_a_table_a_page_and_metrics(home: Path) -> None:
    code, output = run("report", "--home", str(home))
    assert code == 0
    assert "1 answer to 1 user, 2 shown items, 2 distinct" in output
    assert "interactions that name their answer: 1, attributed by time: 1 (last touch)" in output
    assert "│ all │ 2 │ – │ 100.0 │ 50.0 │ 0.00 │" in output
    page = (home / "online" / "report.html").read_text()
    assert "<h2>By release</h2>" in page
    assert "1 answer to 1 user with 2 shown items." in page
    metric = 'penchant_online_conversion_rate{bound="value",dimension="release",label="1"} 0.5'
    assert metric in (home / "penchant_online.prom").read_text()


def test_export_writes_parquet_files(home: Path) -> None:
    code, output = run("export", str(home / "shown"), "--home", str(home))
    assert (code, "1 answer:" in output) == (0, True)
    (row,) = pq.read_table(home / "shown" / "exposures.parquet").to_pylist()
    assert (row["item_ids"], row["sources"]) == (["tea", "milk"], [["interest"], ["interest"]])
    assert pq.read_table(home / "shown" / "events.parquet")["request_id"].to_pylist() == ["r1", None]


def test_a_window_that_holds_nothing_is_wrong_use(home: Path) -> None:
    code, output = run("report", "--home", str(home), "--until", "2000-01-01")
    assert (code, "no answer was recorded from 1999-12-25 00:00 UTC" in output) == (2, True)
