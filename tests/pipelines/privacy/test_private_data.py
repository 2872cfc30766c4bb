"""A private data set of a small home: what is written, what is counted, and what is refused."""

import json
import math
import re
import shutil
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import fsspec
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from components.erase_user.home_files import PRIVATE_COPIES
from components.errors import StepError
from components.ingest_interactions.feedback.feedback_options import FeedbackOptions
from components.ingest_interactions.ingestion import Outputs, Sources, ingest
from components.ingest_interactions.warehouse.manifest import Warehouse
from components.ingest_interactions.warehouse.privacy_statement import privacy_of, statement_beside
from components.private_data.privacy_ledger import FOLDER, PrivacyLedger
from pipelines.cli import app
from tests.occurrences import files_with

MARK = "Marked-Person"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home where 60 users went round in a ring of four items, and one of them chose a made-up item, too."""
    folder = tmp_path_factory.mktemp("home")
    steps = [f"{MARK}-{user},i{(user + step) % 4},{step}" for user in range(60) for step in range(1, 9)]
    rows = [*steps, *(f"{MARK}-0,{MARK}-item,{step}" for step in range(9, 12))]
    interactions, items = folder / "interactions.csv", folder / "items.csv"
    interactions.write_text(
        "user_id,item_id,timestamp\n"
        + "".join(
            f"{row.rpartition(',')[0]},2024-01-01 00:00:{int(row.rpartition(',')[2]):02d}\n" for row in rows
        )
    )
    items.write_text("item_id,title\n" + "".join(f"i{item},Item {item}\n" for item in range(5)))
    outputs = Outputs(*(folder / name for name in ("i.parquet", "t.parquet", "u.parquet", "f.json")))
    sources = Sources(interactions_file=str(interactions), items_file=str(items))
    ingest(sources, FeedbackOptions(), str(folder / "home" / "warehouse"), outputs)
    return folder / "home"


def make(home: Path, folder: Path, epsilon: float) -> tuple[int, str]:
    arguments = [str(folder), "--epsilon", str(epsilon), "--users", "40", "--choices", "10"]
    result = CliRunner().invoke(app, ["data", "private", *arguments, "--home", str(home)])
    return result.exit_code, result.output


def test_a_data_set_names_no_real_user_and_public_items_alone(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = home / PRIVATE_COPIES / "interactions.parquet"  # by a killed command
    left.parent.mkdir()
    left.touch()
    written = Mock(wraps=ingest)
    monkeypatch.setattr("pipelines.privacy.private_data.ingest", written)
    code, output = make(home, tmp_path / "private", 7.0)
    assert written.call_args.args[3].interactions == left  # not in the temporary folder of the system
    assert not left.parent.exists()
    assert (code, "400 drawn choices, epsilon 7 at delta 1e-05" in output) == (0, True)
    assert files_with(tmp_path / "private", MARK) == []
    interactions = pq.read_table(tmp_path / "private" / "interactions.parquet")
    assert len(set(interactions["user_id"].to_pylist())) == 40
    assert set(interactions["item_id"].to_pylist()) <= {f"i{item}" for item in range(5)}
    items = pq.read_table(tmp_path / "private" / "items.parquet")
    assert items["item_id"].to_pylist() == [f"i{item}" for item in range(5)]
    assert items["title"][0].as_py() == "Item 0"
    about = json.loads((tmp_path / "private" / "privacy.json").read_text())
    assert (about["epsilon"], about["spent"], about["budget"]) == (7.0, pytest.approx(7.0, rel=1e-4), 8.0)

    code, output = make(home, tmp_path / "again", 7.0)
    assert (code, "the budget PENCHANT_PRIVACY_BUDGET is 8" in output.replace("\n", " ")) == (1, True)
    assert not (tmp_path / "again").exists()
    # Nor has another home its own budget for the users of the same warehouse.
    monkeypatch.setenv("PENCHANT_WAREHOUSE", str(home / "warehouse"))
    code, output = make(tmp_path / "other", tmp_path / "again", 7.0)
    assert (code, "the budget PENCHANT_PRIVACY_BUDGET is 8" in output.replace("\n", " ")) == (1, True)
    assert len(PrivacyLedger(str(home / "warehouse")).spendings()) == 1


def test_what_is_drawn_can_be_ingested_by_another_home(home: Path, tmp_path: Path) -> None:
    shutil.rmtree(home / "warehouse" / FOLDER, ignore_errors=True)
    assert make(home, tmp_path / "private", 8.0)[0] == 0
    outputs = Outputs(*(tmp_path / name for name in ("i.parquet", "t.parquet", "u.parquet", "f.json")))
    interactions, items = (
        str(tmp_path / "private" / f"{name}.parquet") for name in ("interactions", "items")
    )
    sources = Sources(interactions_file=interactions, items_file=items)
    ingest(sources, FeedbackOptions(), str(tmp_path / "warehouse"), outputs)
    assert pq.read_metadata(outputs.interactions).num_rows == 400
    stated = privacy_of(Warehouse(str(tmp_path / "warehouse")).watermarks)
    assert (stated["epsilon"], stated["delta"]) == (8.0, 1e-5)
    # A real file beside the drawn one: nothing is bounded any more.
    real = tmp_path / "private" / "real.csv"
    real.write_text("user_id,item_id,timestamp\nann,i1,2024-01-01 00:00:00\n")
    ingest(Sources(interactions_file=str(real)), FeedbackOptions(), str(tmp_path / "warehouse"), outputs)
    assert privacy_of(Warehouse(str(tmp_path / "warehouse")).watermarks) == {}


def test_the_statement_is_read_in_a_bucket_and_in_this_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = json.dumps({"epsilon": 2.0, "delta": 1e-5, "sha256": "abc", "curve": []}).encode()
    (tmp_path / "privacy.json").write_bytes(about)
    fsspec.filesystem("memory").pipe("/drawn/privacy.json", about)
    monkeypatch.chdir(tmp_path)
    for url in ("memory://drawn/all.parquet", "all.parquet", str(tmp_path / "all.parquet")):
        assert statement_beside(url, "abc") == {"epsilon": 2.0, "delta": 1e-5, "curve": []}
        assert statement_beside(url, "abd") == {}
    assert statement_beside("memory://other/all.parquet", "abc") == {}


POSSIBLE: dict[str, Any] = {"epsilon": 2.0, "ndcg_at_10": 0.1, "popularity": 0.1, "noise": 0.0, "users": 90}


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ({"epsilon": math.nan}, "expected 0 < epsilon < 100 and 0 < delta < 1, got nan and 1e-05"),
        ({"epsilon": -1.0}, "got -1 and"),
        ({"epsilon": math.inf}, "got inf and"),
        ({"delta": 0}, "got 2 and 0"),
        ({"delta": math.nan}, "got 2 and nan"),
        ({"epsilon": None}, "NoneType"),
        ({"curve": [POSSIBLE | {"ndcg_at_10": math.nan}]}, "from 0 on for ndcg_at_10 in the curve, got nan"),
        ({"curve": [POSSIBLE | {"users": math.inf}]}, "from 0 on for users in the curve, got inf"),
        ({"curve": [POSSIBLE, POSSIBLE | {"epsilon": -8}]}, "from 0 on for epsilon in the curve, got -8"),
    ],
)
def test_a_statement_with_figures_that_cannot_be_is_refused(
    figures: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    about = {"epsilon": 2.0, "delta": 1e-5, "sha256": "abc", "curve": [POSSIBLE]}
    place = tmp_path / "privacy.json"
    place.write_text(json.dumps(about))
    url = str(tmp_path / "all.parquet")
    assert statement_beside(url, "abc")["curve"] == [POSSIBLE]
    place.write_text(json.dumps(about | figures))
    with pytest.raises(StepError, match=f"^{re.escape(str(place))} states figures .*{re.escape(expected)}"):
        statement_beside(url, "abc")
    assert statement_beside(url, "of another file") == {}


def test_a_home_without_an_items_table_is_refused_before_anything_is_spent(tmp_path: Path) -> None:
    (tmp_path / "interactions.csv").write_text("user_id,item_id,timestamp\nann,i1,2024-01-01 00:00:00\n")
    outputs = Outputs(*(tmp_path / name for name in ("i.parquet", "t.parquet", "u.parquet", "f.json")))
    sources = Sources(interactions_file=str(tmp_path / "interactions.csv"))
    ingest(sources, FeedbackOptions(), str(tmp_path / "home" / "warehouse"), outputs)
    code, output = make(tmp_path / "home", tmp_path / "private", 1.0)
    assert (code, "this home has no items table" in output) == (1, True)
    assert not (tmp_path / "home" / "warehouse" / FOLDER).exists()


@pytest.mark.parametrize("place", [".", "warehouse", "new"])
def test_a_folder_that_exists_or_is_in_the_home_is_refused_before_anything_is_spent(
    place: str, tmp_path: Path
) -> None:
    kept = tmp_path / "warehouse" / "kept.txt"
    kept.parent.mkdir()
    kept.write_text("kept")
    code, output = make(tmp_path, tmp_path / place, 1.0)
    assert (code, "choose" in output) == (2, True)
    assert [file.name for file in tmp_path.rglob("*")] == ["warehouse", "kept.txt"]
    assert kept.read_text() == "kept"
