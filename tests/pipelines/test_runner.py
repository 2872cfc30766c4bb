"""The local runner runs kfp tasks in processes of their own, one run per home, and reports failures."""

import os
import re
from pathlib import Path

import pytest
from kfp.dsl import HTML, Dataset, Input, Output

from components.component_decorator import component
from pipelines.errors import RunError
from pipelines.run_lock import run_lock
from pipelines.runner import run_locally
from pipelines.settings import load_settings


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
def end(code: int) -> None:
    """End the process with an exit code, or with a signal for a negative one."""
    import os

    print("last words", flush=True)
    if code < 0:
        os.kill(os.getpid(), -code)
    os._exit(code)


def passing(text: str) -> None:
    """A pipeline of one step."""
    write_text(text=text).set_display_name("Write text")


def exiting(code: int) -> None:
    """A pipeline whose step ends in the middle."""
    end(code=code).set_display_name("End")


def failing(text: str) -> None:
    """A pipeline whose second step fails."""
    written = write_text(text=text)
    refuse_text(written=written.outputs["written"]).set_display_name("Refuse text")
    write_text(text="independent of the failure")


def test_a_run_prints_each_step_and_its_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run_locally(passing, load_settings(home=tmp_path), {"text": "hello"})

    output = capsys.readouterr().out
    assert "✓ Write text" in output
    assert "wrote 5 characters" in output
    assert "Executing task" not in output
    assert "wrote 5 characters" in (folder / "run.log").read_text()
    assert next(folder.glob("steps/*/write-text/written")).read_text() == "hello"


def test_a_run_links_its_pages_by_their_ending(tmp_path: Path) -> None:
    folder = run_locally(passing, load_settings(home=tmp_path), {"text": "hello"})

    assert (folder / "report.html").resolve().name == "report.html"
    assert (folder / "report.html").read_text() == "<p>hello</p>"


def test_a_failed_step_is_reported_with_its_message_and_the_log(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        run_locally(failing, load_settings(home=tmp_path), {"text": "hello"})

    message = str(caught.value)
    assert message.startswith("Refuse text failed: 'hello' is refused:\nexpected another text\n")
    assert "Traceback" not in message
    assert "----" not in message
    assert "run.log" in message


def test_a_failed_run_links_the_pages_that_it_wrote(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        run_locally(failing, load_settings(home=tmp_path), {"text": "hello"})

    assert next(tmp_path.glob("runs/*/report.html")).read_text() == "<p>hello</p>"


def test_a_second_run_in_the_same_home_is_refused(tmp_path: Path) -> None:
    with run_lock(tmp_path), pytest.raises(RunError, match="another run is in progress"):
        run_locally(passing, load_settings(home=tmp_path), {"text": "hello"})


def test_the_temporary_files_of_the_steps_are_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    folder = run_locally(passing, load_settings(home=tmp_path / "home"), {"text": "hello"})

    assert list((tmp_path / "temporary").iterdir()) == []
    assert not (folder / "tmp").exists()
    assert os.environ["TMPDIR"] == str(tmp_path / "temporary")


def test_a_step_that_ends_without_an_exception_is_reported_with_its_code_and_last_lines(
    tmp_path: Path,
) -> None:
    with pytest.raises(RunError) as caught:
        run_locally(exiting, load_settings(home=tmp_path), {"code": 3})
    assert re.match(r"End ended with exit code 3: (.*\n)?last words\nFull log: ", str(caught.value))

    message = r"^End was ended by SIGKILL \(often: too little memory\): (.*\n)?last words\n"
    with pytest.raises(RunError, match=message):
        run_locally(exiting, load_settings(home=tmp_path), {"code": -9})
