"""`penchant runs` shows the runs of a home; `penchant run --every` goes on until it is stopped."""

from pathlib import Path
from unittest.mock import Mock

import pytest
from typer.testing import CliRunner, Result

from components.run_record import RunRecord, StepRecord
from pipelines.cli import app
from pipelines.commands.errors import FAILED, WRONG_USE
from pipelines.errors import RunError

STARTED = "2026-11-28T03:00:00+00:00"
LOG = "\x1b[96mtask\x1b[0m [bold]2 * 2[/bold] \x1b]8;;https://example.com\x1b\\link\x1b]8;;\x1b\\\n"
PRINTED = "task [bold]2 * 2[/bold] link\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PENCHANT_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def failed(home: Path) -> str:
    """A run whose training failed, after a good one."""
    for run, status in (("20261127-030000", "succeeded"), ("20261128-030000", "failed")):
        record = RunRecord(run, "training", STARTED, "ada", {}, duration_s=75.0)
        record.facts = {"rows": 2000, "verdict": "better", "version": 3}
        if status == "failed":
            record.steps = [StepRecord("Train", "train", STARTED, 0, "failed", 61.0, len(LOG), "lost a disk")]
            record.failed_step = "Train"
        record.status = "failed" if status == "failed" else "succeeded"
        folder = home / "runs" / run
        folder.mkdir(parents=True)
        record.write(folder)
        (folder / "run.log").write_text(LOG)
    return "20261128-030000"


def penchant(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_runs_are_listed_with_what_they_made(failed: str) -> None:
    lines = penchant("runs", "list").stdout.splitlines()
    rows = [line.replace(" ", "").strip("│").split("│") for line in lines if "training" in line]
    assert [row[0] for row in rows] == [failed, "20261127-030000"]
    assert rows[0][2:] == ["failed", "2026-11-2803:00", "1:15", "better", "3"]
    assert penchant("runs", "list", "--count", "1").stdout.count("training") == 1


def test_the_newest_run_is_shown_and_its_failure_is_the_exit_code(failed: str) -> None:
    shown = penchant("runs", "show")
    assert shown.exit_code == FAILED
    assert all(text in shown.stdout for text in (failed, "lost a disk", "1:01", "failed step", "2,000"))
    good = penchant("runs", "show", "20261127-030000", "--wait")
    assert good.exit_code == 0
    assert "succeeded" in good.stdout


def test_a_log_is_printed_without_its_escape_codes(failed: str) -> None:
    assert penchant("runs", "logs").stdout == PRINTED
    assert penchant("runs", "logs", failed, "--step", "train", "--follow").stdout == PRINTED


def test_a_home_without_runs_says_how_to_start_one(home: Path) -> None:
    assert "Start one: penchant run" in penchant("runs", "list").stdout
    assert penchant("runs", "show").exit_code == FAILED


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["runs", "show", "7"], FAILED, "there is no run '7'"),
        (["runs", "logs", "--step", "push"], WRONG_USE, "--step='push': expected a step of the run: Train"),
        (["runs", "list", "--count", "0"], WRONG_USE, "--count"),
        (["run", "--every", "0 3 * *"], WRONG_USE, "cron='0 3 * *': expected five fields"),
        (["run", "--every", "0 25 * * *"], WRONG_USE, "cron='0 25 * * *': Bad hour"),
        (["run", "--every", "0 3 30 2 *"], WRONG_USE, "cron='0 3 30 2 *'"),
        (["run", "--every", "0 3 * * *", "--cron-timezone", "Mars"], WRONG_USE, "timezone='Mars': expected"),
        (["run", "--cron-timezone", "UTC"], WRONG_USE, "expected together with --every CRON"),
        (["run", "--every", "0 3 * * *", "--set", "epochs=0"], WRONG_USE, "epochs"),
        (["run", "--every", "0 3 * * *", "--epsilon", "8"], WRONG_USE, "can't be used with --every"),
    ],
)
@pytest.mark.usefixtures("failed")
def test_what_is_wrong_is_one_message(arguments: list[str], exit_code: int, message: str) -> None:
    result = penchant(*arguments)
    assert (result.exit_code, message in result.stderr) == (exit_code, True), result.stderr


def test_a_failed_night_does_not_end_the_schedule_and_a_stop_does_so_cleanly(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second night is stopped, as by SIGTERM."""
    nights: list[str] = []

    def run_locally(function: object, settings: object, arguments: object, started_by: str) -> Path:
        nights.append(started_by)
        if len(nights) == 1:
            raise RunError("the disk is lost")
        raise KeyboardInterrupt

    monkeypatch.setattr("pipelines.local_run.runner.run_locally", run_locally)
    monkeypatch.setattr("pipelines.local_run.schedule.LocalSchedule.wait_s", lambda *_: 0.0)

    result = penchant("run", "--every", "0 3 * * *", "--cron-timezone", "Europe/London")

    assert result.exit_code == 0, result.stderr
    assert nights == ["schedule 0 3 * * * (Europe/London)"] * 2
    assert "the disk is lost" in result.stderr
    assert result.stdout.count("next run: ") == 2
    assert result.stdout.splitlines()[-1] == "stopped"
    assert (home / "schedule.json").exists()


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        (
            "WEBHOOK_URL",
            "ftp://host/x",
            "PENCHANT_WEBHOOK_URL=(not shown): expected an http(s) URL",
        ),
        ("WEBHOOK_URL", "https://ada:pw@host/x", "PENCHANT_WEBHOOK_URL=(not shown)"),
        ("WEBHOOK_URL", "hook.txt", "the absolute path of a file"),
        ("PUSHGATEWAY", "http://", "PENCHANT_PUSHGATEWAY='http://': expected host:port"),
        ("RUN_LINK", "https://host/runs", "expected an http(s) URL with {run} in it"),
        ("STEP_TIMEOUT_S", "-1", "PENCHANT_STEP_TIMEOUT_S='-1'"),
        ("TRAINING_TIMEOUT_S", "1h", "PENCHANT_TRAINING_TIMEOUT_S='1h'"),
        ("METRICS_TEXTFILES", "/no/folder", "PENCHANT_METRICS_TEXTFILES=/no/folder: expected a folder"),
        ("WEBHOOK_KEY_FILE", "/no/key", "PENCHANT_WEBHOOK_KEY_FILE=/no/key: expected a file with a key"),
        ("TRAINING_WORKERS", "2", "PENCHANT_TRAINING_WORKERS=2: expected 1 on one machine"),
    ],
)
def test_a_wrong_setting_ends_the_command_before_the_first_night_and_before_a_draw(
    home: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(f"PENCHANT_{variable}", value)
    for option in (["--every", "0 3 * * *"], ["--epsilon", "8"]):
        result = penchant("run", *option)
        assert result.exit_code == WRONG_USE
        assert expected in result.stderr
        assert "pw" not in result.stderr
    assert not (home / "schedule.json").exists()
    assert not Path(f"{home}-private").exists()


def test_a_private_run_that_fails_has_said_how_to_train_on_its_draw_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.privacy.private_run.make_private_data", Mock(return_value="drawn"))
    failed = Mock(side_effect=RunError("the disk is lost"))
    monkeypatch.setattr("pipelines.local_run.runner.run_locally", failed)
    result = penchant("run", "--epsilon", "8")
    assert (result.exit_code, "the disk is lost" in result.stderr) == (FAILED, True)
    arguments = failed.call_args.args[2]
    files = f"--interactions {arguments['interactions_file']} --items {arguments['items_file']}"
    assert f": penchant run --home {home}-private {files}\n" in result.stdout
