"""The local runner runs kfp tasks in processes of their own, one run per home, and reports failures."""

from pathlib import Path
from subprocess import PIPE, Popen
from sys import executable
from textwrap import dedent

import pytest
from kfp.dsl import HTML, Dataset, Input, Output

from components.component_decorator import component
from pipelines.errors import RunError
from pipelines.runner import run_locally, run_lock
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


def passing(text: str) -> None:
    """A pipeline of one step."""
    write_text(text=text).set_display_name("Write text")


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


def test_the_lock_is_free_after_its_process_was_killed(tmp_path: Path) -> None:
    holder = dedent(f"""
        from pathlib import Path
        from time import sleep
        from pipelines.runner import run_lock
        with run_lock(Path({str(tmp_path)!r})):
            print("locked", flush=True)
            sleep(600)
    """)
    with Popen([executable, "-c", holder], stdout=PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "locked\n"
        with pytest.raises(RunError), run_lock(tmp_path):
            pass
        process.kill()
    # Popen waited for the end of the process.
    with run_lock(tmp_path):
        pass
