"""A pipeline of one slow step, which reports its progress."""

from kfp.dsl import Dataset, Output

from components.component_decorator import component


@component
def report_slowly(seconds: float, started: Output[Dataset]) -> None:
    """Report every half second."""
    import time
    from pathlib import Path

    from components.progress import report

    Path(started.path).touch()
    for number in range(round(2 * seconds)):
        time.sleep(0.5)
        report(f"report {number}")


def slow(seconds: float) -> None:
    """A pipeline of one step."""
    report_slowly(seconds=seconds).set_display_name("Report slowly")
