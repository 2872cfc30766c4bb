"""The local runner runs real kfp tasks in their own processes, one run a home; it says why a step failed."""

from pathlib import Path
from subprocess import PIPE, Popen
from sys import executable
from textwrap import dedent

import pytest
from kfp.dsl import Dataset, Input, Output

from components.component import component
from pipelines.errors import RunError
from pipelines.runner import only_run, run_locally, schedule
from pipelines.settings import load_settings


@component
def write_text(text: str, written: Output[Dataset]) -> int:
    """Write a text."""
    from pathlib import Path

    from components.progress import report

    Path(written.path).write_text(text)
    report(f"wrote {len(text)} characters")
    return len(text)


@component
def refuse_text(written: Input[Dataset]) -> None:
    """Refuse any text."""
    from pathlib import Path

    from components.errors import StepError

    raise StepError(f"{Path(written.path).read_text()!r} is no good:\nexpected a better one")


def passing(text: str) -> None:
    """One step."""
    write_text(text=text).set_display_name("Write text")


def failing(text: str) -> None:
    """A step that can't go on."""
    written = write_text(text=text)
    refuse_text(written=written.outputs["written"]).set_display_name("Refuse text")
    write_text(text="independent of the failure")


def test_a_run_shows_each_step_and_what_it_reports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run_locally(passing, load_settings(home=tmp_path), {"text": "hello"})

    shown = capsys.readouterr().out
    assert "✓ Write text" in shown
    assert "wrote 5 characters" in shown
    assert "Executing task" not in shown
    assert "wrote 5 characters" in (folder / "run.log").read_text()
    assert next(folder.glob("steps/*/write-text/written")).read_text() == "hello"


def test_a_failing_step_is_named_with_its_own_words_and_the_log(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        run_locally(failing, load_settings(home=tmp_path), {"text": "hello"})

    message = str(caught.value)
    assert message.startswith("Refuse text failed: 'hello' is no good:\nexpected a better one\n")
    assert "Traceback" not in message
    assert "----" not in message
    assert "run.log" in message


def test_a_second_run_in_one_home_says_so_and_stops(tmp_path: Path) -> None:
    with only_run(tmp_path), pytest.raises(RunError, match="another run is under way"):
        run_locally(passing, load_settings(home=tmp_path), {"text": "hello"})


def test_a_killed_run_frees_its_home(tmp_path: Path) -> None:
    holder = dedent(f"""
        from pathlib import Path
        from time import sleep
        from pipelines.runner import only_run
        with only_run(Path({str(tmp_path)!r})):
            print("held", flush=True)
            sleep(1800)
    """)
    with Popen([executable, "-c", holder], stdout=PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        process.kill()
    with only_run(tmp_path):
        pass


def test_a_schedule_of_five_fields_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="six fields, seconds first"):
        schedule(passing, load_settings(home=tmp_path), {}, "0 3 * * *")


def test_a_schedule_needs_an_address(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="PENCHANT_KUBEFLOW"):
        schedule(passing, load_settings(home=tmp_path), {}, "0 0 3 * * *")
