"""Validation: faulty rows go to the quarantine with a reason, and too many of them stop the run."""

import json
import math
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from components.errors import StepError
from components.fairness_policy import FairnessPolicy
from components.ingest_interactions.warehouse.manifest import Warehouse
from components.ingest_interactions.warehouse.parts import LOG, Part
from components.validate_interactions import rows
from components.validate_interactions.component import validate_interactions
from components.validate_interactions.expectations import EXPECTED_TEXT
from feature_repo.feedback import FeedbackPolicy
from feature_repo.table_schemas import INTERACTIONS
from tests.components.validate_interactions import conftest
from tests.components.validate_interactions.conftest import AS_OF, NULLABLE, valid_rows

NO_TEXT = f"not {EXPECTED_TEXT}"


def test_valid_interactions_all_pass_in_their_order(snapshot: Any) -> None:
    counts = snapshot.validate(max_failed_share=0.0)

    assert counts == {
        "rows": 200, "valid_rows": 200, "quarantined_rows": 0, "duplicate_rows": 0, "bot_users": 0,
        "new_rows": 200, "failed_share": 0.0, "warnings": 0,
    }  # fmt: skip
    assert snapshot.valid.schema.equals(INTERACTIONS)
    assert snapshot.valid.to_pylist() == snapshot.rows
    assert snapshot.quarantine == {}


FAULTS: list[tuple[str, Any, str]] = [
    ("interaction_id", "", NO_TEXT),
    ("user_id", None, "missing"),
    ("user_id", "", NO_TEXT),
    ("user_id", "u" * 257, NO_TEXT),
    ("user_id", "ann\x00", NO_TEXT),
    ("item_id", None, "missing"),
    ("item_id", "tea\n", NO_TEXT),
    ("event_type", None, "missing"),
    ("event_type", "", NO_TEXT),
    ("domain", "x" * 257, NO_TEXT),
    ("value", math.inf, "not a number within ±1e12"),
    ("value", -2e12, "not a number within ±1e12"),
    ("timestamp", None, "missing"),
    ("timestamp", AS_OF.replace(year=1989), "before 1990-01-01"),
    ("timestamp", AS_OF + timedelta(minutes=6), "in the future when it arrived"),
]


def test_only_faulty_rows_are_quarantined_each_with_its_reason(snapshot: Any) -> None:
    expected, valid = {}, snapshot.rows[len(FAULTS) :]
    for row, (column, value, reason) in zip(snapshot.rows, FAULTS, strict=False):
        row[column] = value
        expected[row["interaction_id"]] = [f"{column}: {reason}"]
    counts = snapshot.validate(0.1)

    assert snapshot.quarantine == expected
    assert snapshot.valid.to_pylist() == valid
    assert (counts["quarantined_rows"], counts["failed_share"]) == (15, 15 / 200)


def test_values_at_the_limits_pass(snapshot: Any) -> None:
    allowed = [
        ("user_id", "u" * 256),
        ("user_id", "Zoë 名 \u200d"),
        ("value", None),
        ("value", -1e12),
        ("timestamp", AS_OF.replace(year=1990, month=1, day=1)),
        ("timestamp", AS_OF + timedelta(minutes=5)),
        ("domain", "films"),
    ]
    for row, (column, value) in zip(snapshot.rows, allowed, strict=False):
        row[column] = value
    assert snapshot.validate(0.0)["valid_rows"] == 200


def test_two_interactions_with_one_id_are_both_quarantined(snapshot: Any) -> None:
    snapshot.rows[150]["interaction_id"] = "i3"
    snapshot.validate()
    assert snapshot.quarantine == {"i3": ["interaction_id: used by several interactions"]}
    assert len(snapshot.valid) == 198


def test_an_interaction_of_an_unlisted_item_or_user_is_quarantined(
    snapshot: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    snapshot.items = [{"item_id": f"item {n}"} for n in range(20)]
    snapshot.users = [{"user_id": f"user {n}"} for n in range(10)]
    snapshot.rows[7]["item_id"] = "nothing"
    snapshot.rows[8]["user_id"] = "nobody"
    snapshot.validate()
    assert snapshot.quarantine == {
        "i7": ["item_id: not in the items table"],
        "i8": ["user_id: not in the users table"],
    }
    assert re.search(r"item_id: not in the items table +1 row +0.50% +'nothing'", capsys.readouterr().out)


def test_a_row_with_several_faults_lists_each_reason(snapshot: Any) -> None:
    snapshot.rows[7] |= {"user_id": None, "value": math.inf, "timestamp": AS_OF.replace(year=1970)}
    snapshot.validate()
    assert snapshot.quarantine == {
        "i7": ["user_id: missing", "timestamp: before 1990-01-01", "value: not a number within ±1e12"]
    }


def test_a_file_of_several_frames_loses_no_row(snapshot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "FRAME_ROWS", 64)
    for faulty in (0, 63, 64, 199):
        snapshot.rows[faulty]["value"] = math.inf
    snapshot.rows[100]["interaction_id"] = "i10"
    snapshot.validate()
    assert set(snapshot.quarantine) == {"i0", "i63", "i64", "i199", "i10"}
    assert len(snapshot.valid) == 194


class TestWarnings:
    """Reported, never quarantined."""

    def test_an_unusual_event_type(self, snapshot: Any, capsys: pytest.CaptureFixture[str]) -> None:
        snapshot.rows[7]["event_type"] = "teleport"
        counts = snapshot.validate(0.0)
        assert (counts["valid_rows"], counts["warnings"]) == (200, 1)
        assert (
            "event_type: unknown, so it is neutral (warning)  1 row  0.50%  'teleport'"
            in capsys.readouterr().out
        )

    def test_items_and_users_without_attributes(
        self, snapshot: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        snapshot.items = [{"item_id": f"item {n}", "title": "T" if n < 18 else None} for n in range(20)]
        snapshot.users = [{"user_id": f"user {n}", "age": 1.0 if n else None} for n in range(10)]
        assert snapshot.validate(0.0)["warnings"] == 2
        output = capsys.readouterr().out
        assert "described items: many have no attributes (warning)" in output
        assert "described users: many have no attributes (warning)" in output

    def test_a_snapshot_that_grew_a_lot(self, snapshot: Any, tmp_path: Path) -> None:
        snapshot.rows = valid_rows(20)
        snapshot.validate()
        snapshot.rows = valid_rows(220)
        assert snapshot.validate()["warnings"] == 1


class TestThreshold:
    def plant(self, snapshot: Any, faults: int) -> None:
        for row in snapshot.rows[:faults]:
            row["user_id"] = None

    def test_the_run_goes_on_at_the_allowed_share(self, snapshot: Any) -> None:
        self.plant(snapshot, 10)
        assert snapshot.validate(0.05)["failed_share"] == 0.05

    def test_the_run_stops_above_it_and_lists_the_failures(self, snapshot: Any) -> None:
        self.plant(snapshot, 11)
        snapshot.rows[50]["value"] = math.inf
        with pytest.raises(StepError) as stopped:
            snapshot.validate(0.05)

        message = str(stopped.value)
        assert "6.00% of 200 new interactions of files failed; at most 5.00% may fail" in message
        assert re.search(
            r"user_id: missing +11 rows +5.50% +None +first: interaction 'i0' +expected a value in each row",
            message,
        )
        assert re.search(
            r"value: not a number within ±1e12 +1 row +0.50% +inf +first: interaction 'i50'",
            message,
        )
        assert "--max-failed-share" in message
        assert len(snapshot.quarantine) == 12
        assert not (snapshot.root / "warehouse").exists(), "a failed run counted as the last one"

    def test_a_snapshot_without_a_valid_row_stops_at_any_allowed_share(self, snapshot: Any) -> None:
        self.plant(snapshot, 200)
        with pytest.raises(StepError, match="none of 200 interactions is valid"):
            snapshot.validate(1.0)

    def test_a_share_above_one_is_rejected(self, snapshot: Any) -> None:
        with pytest.raises(StepError, match="max_failed_share is 5; expected a share from 0 to 1"):
            snapshot.validate(5)


class TestArrival:
    """A row is judged once, when it arrives."""

    def arrive(self, snapshot: Any, *sources: str) -> None:
        """Spread the rows evenly over parts of these sources, which arrived at AS_OF."""
        store, size = Warehouse(str(snapshot.root / "warehouse")), len(snapshot.rows) // len(sources)
        arrived = round(AS_OF.timestamp() * 1_000_000)
        for number, source in enumerate(sources, 1):
            part = Part("interactions", f"{number}.parquet", source, "", size, number, ingested_at=arrived)
            store.watermarks.parts.append(part)
        store.commit()
        snapshot.schema = NULLABLE.append(pa.field("part", pa.int64()))
        for position, row in enumerate(snapshot.rows):
            row["part"] = 1 + position // size

    def test_recorded_rows_and_bots_are_set_aside_and_stop_no_run(self, snapshot: Any) -> None:
        self.arrive(snapshot, "log.csv", LOG)
        for row in snapshot.rows[100:]:
            row["timestamp"] = AS_OF.replace(year=1970)
        counts = snapshot.validate(0.0)
        assert (counts["quarantined_rows"], counts["new_rows"], counts["failed_share"]) == (100, 100, 0.0)

    def test_rows_of_a_snapshot_that_passed_do_not_count_again(self, snapshot: Any) -> None:
        self.arrive(snapshot, "a.csv", "b.csv")
        for row in snapshot.rows[:8]:
            row["value"] = math.inf
        with pytest.raises(StepError, match=r"4\.00% of 200 new .* may fail \(a\.csv: 8\)"):
            snapshot.validate(0.01)
        assert snapshot.validate(0.05)["new_rows"] == 200
        assert snapshot.validate(0.0)["new_rows"] == 0
        assert len(snapshot.quarantine) == 8

    def test_a_time_in_the_future_at_the_arrival_stays_aside_when_it_has_come(
        self, snapshot: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.arrive(snapshot, "log.csv")
        snapshot.rows[7]["timestamp"] = AS_OF + timedelta(hours=2)
        monkeypatch.setattr(conftest, "AS_OF", AS_OF + timedelta(days=1))
        snapshot.validate()
        assert snapshot.quarantine == {"i7": ["timestamp: in the future when it arrived"]}


class TestSnapshot:
    def test_a_column_of_another_type_stops_the_run(self, snapshot: Any) -> None:
        position = NULLABLE.get_field_index("timestamp")
        snapshot.schema = NULLABLE.set(position, pa.field("timestamp", pa.timestamp("ms", tz="UTC")))
        with pytest.raises(
            StepError,
            match=r"timestamp: of another type than in the contract.*timestamp\[ms, tz=UTC\]",
        ):
            snapshot.validate()
        assert "timestamp[us, tz=UTC]" in snapshot.docs

    def test_a_missing_column_stops_the_run(self, snapshot: Any) -> None:
        snapshot.schema = NULLABLE.remove(NULLABLE.get_field_index("domain"))
        for row in snapshot.rows:
            del row["domain"]
        with pytest.raises(StepError, match=r"domain: .*'absent'"):
            snapshot.validate()

    def test_no_rows_stop_the_run(self, snapshot: Any) -> None:
        snapshot.rows = []
        with pytest.raises(StepError, match="rows: none"):
            snapshot.validate()

    def test_lost_rows_stop_the_run_and_the_error_says_how_to_go_on(self, snapshot: Any) -> None:
        snapshot.validate()
        snapshot.rows = valid_rows(180)
        snapshot.validate()
        snapshot.rows = valid_rows(160)
        with pytest.raises(
            StepError,
            match=r"growth since the last run: rows were lost(.|\n)*0\.88(.|\n)*delete validation.json",
        ):
            snapshot.validate()
        stored = json.loads((snapshot.root / "warehouse" / "validation.json").read_text())
        assert stored == {"rows": 180, "withdrawn": 0, "last_part": 0}

    def test_rows_that_were_withdrawn_on_purpose_are_not_lost(self, snapshot: Any) -> None:
        snapshot.validate()
        store = Warehouse(str(snapshot.root / "warehouse"))
        store.watermarks.withdrawn = 100
        store.commit()
        snapshot.rows = valid_rows(85)
        with pytest.raises(StepError, match="growth since the last run: rows were lost"):
            snapshot.validate()
        snapshot.rows = valid_rows(95)
        snapshot.validate()
        snapshot.validate()  # the withdrawn rows count once

    def test_the_file_of_an_earlier_version_is_read(self, snapshot: Any) -> None:
        snapshot.validate()
        (snapshot.root / "warehouse" / "validation.json").write_text('{"rows": 400}')
        with pytest.raises(StepError, match="rows were lost"):
            snapshot.validate()


class TestDataDocs:
    def test_the_page_loads_nothing_from_elsewhere(self, snapshot: Any) -> None:
        snapshot.validate()
        assert not re.findall(r"https?://|<script|<link|@import|src=", snapshot.docs)
        assert "2024-06-01 00:00:00 UTC" in snapshot.docs

    def test_values_are_shown_as_text(self, snapshot: Any) -> None:
        snapshot.rows[7]["user_id"] = "<script>alert(1)</script>\x07"
        snapshot.validate()
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in snapshot.docs
        assert "<script" not in snapshot.docs

    def test_a_run_without_failures_has_no_failures_on_its_page(self, snapshot: Any) -> None:
        snapshot.validate()
        assert "<b>Passed</b>" in snapshot.docs
        assert "<h2>Failures</h2>" not in snapshot.docs
        assert "<h2>Warnings</h2>" not in snapshot.docs

    def test_a_stopped_run_shows_verdict_and_failures_before_warnings_and_passed_checks(
        self, snapshot: Any
    ) -> None:
        for row in snapshot.rows[:20]:
            row["user_id"] = None
        snapshot.rows[30]["value"] = math.inf
        snapshot.rows[40]["event_type"] = "teleport"
        with pytest.raises(StepError):
            snapshot.validate(0.05)
        parts = [
            "<b>Stopped</b>", "10.50% of 200 new interactions of files failed", "--max-failed-share",
            "<h2>Failures</h2>", "missing", "10.00%", "not a number within ±1e12", "<code>inf</code>",
            "<h2>Warnings</h2>", "teleport", "<h2>Passed checks</h2>", "Each interaction", "The snapshot",
        ]  # fmt: skip
        positions = [snapshot.docs.index(part) for part in parts]
        assert positions == sorted(positions)

    def test_a_snapshot_that_fails_as_a_whole_says_why_and_what_to_do(self, snapshot: Any) -> None:
        snapshot.rows = []
        with pytest.raises(StepError):
            snapshot.validate()
        assert "<b>Stopped</b>" in snapshot.docs
        assert "at least one" in snapshot.docs
        assert "Correct the sources" in snapshot.docs


def test_the_component_logs_the_counts(snapshot: Any, tmp_path: Path) -> None:
    class Artifact:
        def __init__(self, name: str) -> None:
            self.path = str(tmp_path / name)

    class Metrics:
        def __init__(self) -> None:
            self.logged: dict[str, float] = {}

        def log_metric(self, name: str, value: float) -> None:
            self.logged[name] = value

    snapshot.validate()
    FeedbackPolicy().write(tmp_path / "feedback.json")
    metrics = Metrics()

    def run(provider_column: str) -> None:
        validate_interactions.python_func(
            Artifact("interactions.parquet"), Artifact("items.parquet"), Artifact("users.parquet"),
            Artifact("feedback.json"), round(AS_OF.timestamp() * 1_000_000), str(tmp_path / "warehouse"),
            0.05, FairnessPolicy(provider_column).to_json(),
            Artifact("valid.parquet"), Artifact("quarantine.parquet"), Artifact("docs.html"), metrics,
        )  # fmt: skip

    with pytest.raises(StepError, match="the items have no column 'sellr' of text or integers"):
        run("sellr")
    assert not metrics.logged
    run("")
    assert metrics.logged["valid_rows"] == 200


def test_a_search_needs_words_and_no_item(snapshot: Any) -> None:
    snapshot.rows[0] |= {"item_id": None, "event_type": "search", "query": "space opera"}
    snapshot.rows[1] |= {"item_id": None, "event_type": "search"}
    snapshot.rows[2] |= {"item_id": None, "query": "space opera"}
    snapshot.rows[3] |= {"item_id": None, "event_type": "search", "query": "x" * 257}
    snapshot.validate()
    text = "query: not 1 to 256 characters, none of them a control character"
    assert snapshot.quarantine == {"i1": ["item_id: missing"], "i2": ["item_id: missing"], "i3": [text]}
    (row,) = (row for row in snapshot.valid.to_pylist() if row["item_id"] is None)
    assert row["query"] == "space opera"
