"""`penchant data`: sources are listed and withdrawn, and errors say what to do."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from components.ingest_interactions.feedback.feedback_options import FeedbackOptions
from components.ingest_interactions.ingestion import Outputs, Sources, ingest
from pipelines.cli import app

ROWS = "user_id,item_id,timestamp\nann,tea,2024-01-31\nbob,tea,2024-02-01\n"


@pytest.fixture
def home(tmp_path: Path) -> str:
    """Return a home that has ingested sales.csv."""
    (tmp_path / "sales.csv").write_text(ROWS)
    names = ("interactions", "items", "users", "feedback")
    outputs = Outputs(*(tmp_path / name for name in names))
    sources = Sources(interactions_file=str(tmp_path / "sales.csv"), reading={"timezone": "Asia/Tokyo"})
    ingest(sources, FeedbackOptions(), str(tmp_path / "home" / "warehouse"), outputs)
    return str(tmp_path / "home")


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["data", *arguments])
    return result.exit_code, " ".join(result.output.split())


def test_sources_and_retractions_are_listed(home: str) -> None:
    code, output = run("list", "--home", home)
    assert code == 0
    for text in (
        "│ sales.csv │",
        "interactions",
        "2024-01-30",
        "2024-01-31",
        "sales.csv, interactions: read with --timezone Asia/Tokyo",
        f"sales.csv: {Path(home).parent}",
    ):
        assert text in output
    assert "Retractions" not in output

    code, output = run("retract", "--home", home, "--source", "sales.csv", "--where", "user_id=ann")
    assert (code, "Retraction 1: 1 row withdrawn" in output) == (0, True)
    code, output = run("list", "--home", home)
    assert "user_id=ann" in output

    code, output = run("retract", "--home", home, "--undo", "1")
    assert (code, "when you give these again: sales.csv" in output) == (0, True)


def test_an_empty_home_says_how_to_begin(tmp_path: Path) -> None:
    code, output = run("list", "--home", str(tmp_path))
    assert (code, "penchant run --dataset" in output) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--source", "other.csv"], 1, "unknown source 'other.csv'; the warehouse"),
        (["--where", "colour=red"], 1, "expected COLUMN=VALUE"),
        ([], 1, "--source NAME, --where CONDITION"),
        (["--undo", "1", "--source", "sales.csv"], 2, "leave out --source"),
        (["--undo", "7"], 1, "retraction 7 can't be taken back"),
    ],
)
def test_wrong_use_is_an_error(home: str, arguments: list[str], code: int, message: str) -> None:
    found, output = run("retract", "--home", home, *arguments)
    assert (found, message in output) == (code, True), output
