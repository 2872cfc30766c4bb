"""The local runner runs kfp tasks in processes of their own, one run per home, and reports failures."""

import os
import re
import signal
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from threading import Thread

import pytest
from kfp.dsl import HTML, Dataset, Input, Output, PipelineTaskFinalStatus

from components.component_decorator import component
from components.run_record import RunRecord
from pipelines.errors import RunError
from pipelines.local_run.run_lock import run_lock
from pipelines.local_run.run_recorder import STOPPED
from pipelines.local_run.runner import check_local_run, run_locally
from pipelines.settings import load_settings
from tests.patience import wait_until
from tests.webhook_receiver import receiver

SCHEDULE = "schedule 0 3 * * * (UTC)"


@component
def write_text(text: str, written: Output[Dataset], report: Output[HTML]) -> int:
    """Write a text, and a page that contains it."""
    from pathlib import Path

    from components.progress import report as report_progress

    report.path += ".html"
    Path(report.path).write_text(f"<p>{text}</p>")
    Path(written.path).write_text(text)
    report_progress(f"wrote {len(text)} characters")
    return len(text)


@component
def refuse_text(written: Input[Dataset]) -> None:
    """Refuse any text."""
    from pathlib import Path

    from components.errors import StepError

    raise StepError(f"{Path(written.path).read_text()!r} is refused:\nexpected another text")


@component
def hang() -> None:
    """Hang in C code that no signal handler of Python interrupts; a child keeps the output open."""
    import subprocess
    import sys

    subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    print("about to hang", flush=True)
    pattern = "(a*)*b"
    __import__("re").match(pattern, "a" * 60)


@component
def end(code: int) -> None:
    """End the process with an exit code, or with a signal for a negative one; wait for one if it is 0."""
    import os

    print("last words", flush=True)
    if code == 0:
        __import__("signal").pause()
    if code < 0:
        os.kill(os.getpid(), -code)
    os._exit(code)


def passing(text: str) -> None:
    """A pipeline of one step."""
    write_text(text=text).set_display_name("Write text")


def exiting(code: int) -> None:
    """A pipeline whose step ends in the middle."""
    end(code=code).set_display_name("End")


def hanging() -> None:
    """A pipeline whose step does not end."""
    hang().set_display_name("Hang")


def failing(text: str) -> None:
    """A pipeline whose second step fails."""
    written = write_text(text=text)
    refuse_text(written=written.outputs["written"]).set_display_name("Refuse text")
    write_text(text="independent of the failure")


@dataclass(frozen=True)
class Run:
    """A run's folder, what the command printed, and the folder for its temporary files."""

    folder: Path
    output: str
    temporary: Path


@pytest.fixture(scope="module")
def passed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of `passing`, started by a schedule."""
    home, temporary = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("temporary")
    output = StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(output):
        patch.setenv("TMPDIR", str(temporary))
        folder = run_locally(passing, load_settings(home=home), {"text": "hello"}, SCHEDULE)
        assert os.environ["TMPDIR"] == str(temporary)
    return Run(folder, output.getvalue(), temporary)


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The home of a run of `failing`, and the error."""
    home = tmp_path_factory.mktemp("home")
    with pytest.raises(RunError) as caught:
        run_locally(failing, load_settings(home=home), {"text": "hello"})
    return home, str(caught.value)


def test_a_run_prints_each_step_and_its_reports(passed: Run) -> None:
    assert "✓ Write text" in passed.output
    assert "wrote 5 characters" in passed.output
    assert "Executing task" not in passed.output
    assert "wrote 5 characters" in (passed.folder / "run.log").read_text()
    assert next(passed.folder.glob("steps/*/write-text/written")).read_text() == "hello"


def test_a_run_links_its_pages_by_their_ending(passed: Run) -> None:
    page = passed.folder / "report.html"
    assert page.resolve().name == "report.html"
    assert page.read_text() == "<p>hello</p>"


def test_the_temporary_files_of_the_steps_are_deleted(passed: Run) -> None:
    assert list(passed.temporary.iterdir()) == []
    assert not (passed.folder / "tmp").exists()


def test_a_failed_step_is_reported_with_its_message_and_the_log(failed: tuple[Path, str]) -> None:
    _, message = failed
    assert message.startswith("Refuse text failed: 'hello' is refused:\nexpected another text\n")
    assert "Traceback" not in message
    assert "----" not in message
    assert "run.log" in message


def test_a_failed_run_links_the_pages_that_it_wrote(failed: tuple[Path, str]) -> None:
    home, _ = failed
    assert next(home.glob("runs/*/report.html")).read_text() == "<p>hello</p>"


def test_a_second_run_in_the_same_home_is_refused(tmp_path: Path) -> None:
    with run_lock(tmp_path), pytest.raises(RunError, match="another run is in progress"):
        run_locally(passing, load_settings(home=tmp_path), {"text": "hello"})


def test_a_step_that_ends_without_an_exception_is_reported_with_its_code_and_last_lines(
    tmp_path: Path,
) -> None:
    with pytest.raises(RunError) as caught:
        run_locally(exiting, load_settings(home=tmp_path), {"code": 3})
    assert re.match(r"End ended with exit code 3: (.*\n)?last words\nFull log: ", str(caught.value))

    message = r"^End was ended by SIGKILL \(often: too little memory\): (.*\n)?last words\n"
    with pytest.raises(RunError, match=message):
        run_locally(exiting, load_settings(home=tmp_path), {"code": -9})


def test_a_step_that_hangs_ends_and_the_run_names_it_and_the_setting(tmp_path: Path) -> None:
    message = r"^Hang took longer than PENCHANT_STEP_TIMEOUT_S=1 seconds and was ended; its log .*\n"
    with pytest.raises(RunError, match=message):
        run_locally(hanging, load_settings(home=tmp_path, step_timeout_s=1), {})

    (log,) = tmp_path.glob("runs/*/run.log")
    # With the stack of each thread, and the seconds that were left when the step was forked.
    assert re.search(r"Timeout \(0:00:0[01](\.\d+)?\)!", log.read_text())
    record = RunRecord.read(log.parent)
    assert (record.status, record.failed_step) == ("failed", "Hang")
    assert record.error.startswith("took longer than PENCHANT_STEP_TIMEOUT_S=1")


def test_the_record_has_the_steps_and_where_their_output_is(passed: Run) -> None:
    folder = passed.folder
    record = RunRecord.read(folder)
    assert (record.run, record.pipeline, record.status) == (folder.name, "passing", "succeeded")
    assert (record.arguments, record.started_by) == ({"text": "hello"}, SCHEDULE)
    (step,) = record.steps
    assert (step.name, step.task, step.status) == ("Write text", "write-text", "succeeded")
    assert record.duration_s
    assert step.seconds
    assert record.duration_s > step.seconds > 0
    assert step.cpu_seconds
    assert step.peak_bytes
    assert step.peak_bytes > 10_000_000  # of a Python process
    assert (step.rows_in, step.rows_out) == (None, None)
    assert step.began_s is not None
    assert 0 < step.began_s < record.duration_s - step.seconds
    assert f"<h1>Run {folder.name}: succeeded</h1>" in (folder / "run.html").read_text()
    output = (folder / "run.log").read_bytes()[step.log_start : step.log_end].decode()
    assert "wrote 5 characters" in output
    assert "Executing task" not in output
    # The lines between which the component works, for the pipeline's overhead.
    assert re.search(
        r"\[KFP Executor .*\]: Got executor_input:.*\[KFP Executor .*\]: Wrote exec", output, re.S
    )


def test_sigterm_ends_the_step_and_the_run_and_is_reported(tmp_path: Path) -> None:
    """The handler of SIGTERM is that of Ctrl-C, which the test's own thread waits for."""

    def stop() -> None:
        wait_until(lambda: any("last words" in log.read_text() for log in tmp_path.glob("runs/*/run.log")))
        os.kill(os.getpid(), signal.SIGTERM)

    with receiver() as hook:
        thread = Thread(target=stop)
        thread.start()
        settings = load_settings(home=tmp_path, webhook_url=hook.url)
        with pytest.raises(KeyboardInterrupt):
            run_locally(exiting, settings, {"code": 0})
        thread.join()

    (folder,) = tmp_path.glob("runs/*")
    record = RunRecord.read(folder)
    assert (record.status, record.error, record.steps[-1].status) == ("canceled", STOPPED, "canceled")
    assert [message["status"] for message in hook.messages] == ["canceled"]
    with run_lock(tmp_path):  # no step is left
        pass


def test_a_report_that_fails_does_not_fail_a_good_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @component
    def report_run(pipeline: str, job_id: str, report: dict, status: PipelineTaskFinalStatus) -> None:  # type: ignore[type-arg]
        import os

        os._exit(3)

    monkeypatch.setattr("pipelines.exit_handler.report_run", report_run)
    folder = run_locally(passing, load_settings(home=tmp_path, pushgateway="127.0.0.1:1"), {"text": "hello"})

    record = RunRecord.read(folder)
    assert (record.status, record.failed_step, record.error) == ("succeeded", "", "")
    (undelivered,) = record.facts["undelivered"]
    assert undelivered.startswith("the step Report run ended with exit code 3")
    assert "✗ Report run" in capsys.readouterr().out


def test_a_run_is_reported_by_its_last_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "key").write_text("a key of sixteen characters")
    with receiver() as hook:
        settings = load_settings(
            home=tmp_path,
            webhook_url=f"{hook.url}/secret",
            webhook_key_file=tmp_path / "key",
            pushgateway="http://127.0.0.1:1",
        )
        with pytest.raises(RunError, match="Refuse text failed"):
            run_locally(failing, settings, {"text": "hello"})
    (message,) = hook.messages
    assert (message["failed_step"], message["status"]) == ("Refuse text", "failed")
    assert message["error"] == "'hello' is refused:\nexpected another text"
    assert hook.headers[0]["webhook-signature"]
    assert hook.paths == ["/secret"]
    (folder,) = tmp_path.glob("runs/*")
    (undelivered,) = RunRecord.read(folder).facts["undelivered"]
    assert undelivered.startswith("Pushgateway: ")
    kept = [file for file in folder.rglob("*") if file.is_file()]
    assert [file for file in kept if "/secret" in file.read_text(errors="replace")] == []
    assert "not delivered: Pushgateway" in capsys.readouterr().out


def test_several_workers_on_one_machine_need_a_yes_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENCHANT_INSECURE", "true")  # what lets a recommender serve without tokens

    def training(training_workers: int = 1) -> None:
        pytest.fail("it must not be built")

    settings = load_settings(home=tmp_path)
    with pytest.raises(ValueError, match=r"^PENCHANT_TRAINING_WORKERS=2: .*PENCHANT_INSECURE_WORKERS=true$"):
        run_locally(training, settings, {"training_workers": 2})
    allowed = load_settings(home=tmp_path, insecure_workers=True)
    assert check_local_run(allowed, {"training_workers": 2})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("webhook_url", "/no/file", "PENCHANT_WEBHOOK_URL=/no/file: expected a URL, or a file"),
        ("webhook_key_file", "/no/key", "PENCHANT_WEBHOOK_KEY_FILE=/no/key: expected a file with a key"),
        ("webhook_key_file", "/dev/null", "of 16 characters or more"),
        ("metrics_textfiles", "/no/folder", "PENCHANT_METRICS_TEXTFILES=/no/folder: expected a folder"),
    ],
)
def test_a_missing_file_of_a_receiver_is_refused_before_the_run(
    tmp_path: Path, name: str, value: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        run_locally(passing, load_settings(home=tmp_path, **{name: value}), {"text": "hello"})
    assert not list(tmp_path.glob("runs/*"))
