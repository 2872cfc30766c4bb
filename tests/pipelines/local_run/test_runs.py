"""The history of a home: its runs, those that were killed, and their logs."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from components.run_record import RunRecord, StepRecord
from pipelines.local_run.run_lock import run_lock
from pipelines.local_run.runs import LocalRuns
from pipelines.run_history import Run, follow

LOG = ["Executing task ingest", "ingest: 2000 rows", "Executing task train", "train: epoch 1", ""]
STARTED = "2026-11-28T03:00:00+00:00"


def record(run: str, **fields: Any) -> RunRecord:
    return replace(RunRecord(run, "training", STARTED, "ada", {}), **fields)


def add(home: Path, entry: RunRecord) -> None:
    folder = home / "runs" / entry.run
    folder.mkdir(parents=True)
    entry.write(folder)
    (folder / "run.log").write_text("\n".join(LOG))


def steps() -> list[StepRecord]:
    ends = [len(line) + 1 for line in LOG]
    ingest = StepRecord("Ingest interactions", "ingest", STARTED, ends[0], "succeeded", 2.0, sum(ends[:2]))
    return [ingest, StepRecord("Train", "train", STARTED, sum(ends[:3]))]


def test_runs_are_listed_newest_first(tmp_path: Path) -> None:
    for run in ("20261127-030000", "20261128-030000-2", "20261128-030000", "20261128-030000-10"):
        add(tmp_path, record(run, status="succeeded", duration_s=61.0))
    (tmp_path / "runs" / "serve-20261128-040000").mkdir()

    newest = LocalRuns(tmp_path).newest(3)

    assert [run.run_id for run in newest] == ["20261128-030000-10", "20261128-030000-2", "20261128-030000"]
    assert newest[0].started
    assert newest[0].ended == newest[0].started + timedelta(seconds=61)


def test_a_home_without_runs_has_none_and_stays_as_it_is(tmp_path: Path) -> None:
    assert LocalRuns(tmp_path / "home").newest(5) == []
    assert not (tmp_path / "home").exists()


def test_a_run_without_an_end_was_killed_unless_the_home_is_locked(tmp_path: Path) -> None:
    add(tmp_path, record("20261127-030000", steps=steps()))
    add(tmp_path, record("20261128-030000", steps=steps()))
    runs = LocalRuns(tmp_path)

    with run_lock(tmp_path):
        assert [run.state for run in runs.newest(2)] == ["running", "killed"]
        assert [step.state for step in runs.get("20261128-030000").steps] == ["succeeded", "running"]
    assert [run.state for run in runs.newest(2)] == ["killed", "killed"]
    assert [step.state for step in runs.get("20261128-030000").steps] == ["succeeded", "killed"]


def test_to_look_at_a_run_does_not_lock_out_the_next(tmp_path: Path) -> None:
    add(tmp_path, record("20261128-030000"))
    runs = LocalRuns(tmp_path)
    assert [run.state for run in runs.newest(1)] == ["killed"]
    with run_lock(tmp_path):
        assert [run.state for run in runs.newest(1)] == ["running"]


def test_the_facts_of_a_run_are_shown(tmp_path: Path) -> None:
    facts = {"rows": 2000, "verdict": "better", "version": 7, "live": True, "undelivered": ["webhook: down"]}
    add(tmp_path, record("20261128-030000", status="failed", failed_step="Train", error="lost", facts=facts))

    assert LocalRuns(tmp_path).get("20261128-030000").facts == {
        "started by": "ada", "rows": "2,000", "verdict": "better", "version": "7", "live": "yes",
        "failed step": "Train", "error": "lost", "not delivered": "webhook: down",
    }  # fmt: skip


def test_a_record_masks_the_password_in_an_address(tmp_path: Path) -> None:
    entry = record(
        "20261128-030000", arguments={"items_file": "https://ada:hidden@shop.example.com/items.csv"}
    )
    add(tmp_path, entry)
    assert "hidden" not in (tmp_path / "runs" / entry.run / "run.json").read_text()
    masked = RunRecord.read(tmp_path / "runs" / entry.run).arguments
    assert masked == {"items_file": "https://ada:***@shop.example.com/items.csv"}


def test_an_unknown_run_lists_the_newest(tmp_path: Path) -> None:
    add(tmp_path, record("20261128-030000"))
    with pytest.raises(LookupError, match=r"no run '7' in .*; the newest: 20261128-030000$"):
        LocalRuns(tmp_path).get("7")


@pytest.mark.parametrize("step", ["Ingest interactions", "ingest INTERACTIONS", "ingest"])
def test_the_log_of_a_step_is_its_part_of_the_log(tmp_path: Path, step: str) -> None:
    add(tmp_path, record("20261128-030000", status="failed", steps=steps()))
    runs = LocalRuns(tmp_path)

    assert list(runs.log("20261128-030000", step, follow=False)) == ["ingest: 2000 rows"]
    assert list(runs.log("20261128-030000", "train", follow=False)) == ["train: epoch 1"]
    assert list(runs.log("20261128-030000", "", follow=False)) == LOG[:-1]
    with pytest.raises(
        ValueError, match="--step='push': expected a step of the run: Ingest interactions, Tr"
    ):
        next(runs.log("20261128-030000", "push", follow=False))


def test_following_a_log_goes_on_until_the_run_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(tmp_path, entry := record("20261128-030000", steps=steps()))
    folder = tmp_path / "runs" / entry.run

    def later() -> Iterator[None]:
        with (folder / "run.log").open("a") as log:
            log.write("half a line, ")
        yield
        with (folder / "run.log").open("a") as log:
            log.write("and its end")
        replace(entry, status="succeeded").write(folder)
        yield

    events = later()
    monkeypatch.setattr("pipelines.local_run.runs.time.sleep", lambda _: next(events))
    with run_lock(tmp_path):
        lines = list(LocalRuns(tmp_path).log(entry.run, "train", follow=True))
    assert lines == ["train: epoch 1", "half a line, and its end"]


def test_following_a_run_stops_when_its_processes_are_gone(tmp_path: Path) -> None:
    add(tmp_path, record("20261128-030000"))
    states: list[Run] = list(follow(LocalRuns(tmp_path), "20261128-030000", poll_s=0))
    assert [run.state for run in states] == ["killed"]
