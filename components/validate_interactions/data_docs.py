"""Renders the Data Docs: the verdict and the result of every expectation, on one self-contained HTML page.

Great Expectations' own Data Docs load styles and scripts from the internet.
"""

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from components.validate_interactions.expectation_results import ExpectationResult, failures
from components.validate_interactions.verdict import Counts, Verdict
from feature_repo.atomic_files import write_text_atomically

TEMPLATE: Final = "data_docs_template.html"


def write(
    page: Path, as_of: int, verdict: Verdict, counts: Counts, suites: dict[str, list[ExpectationResult]]
) -> None:
    """Write the page atomically.

    Args:
        as_of: the time of the snapshot, µs since the epoch.
        counts: row counts by name; only "rows" when the snapshot as a whole failed.
        suites: title of a suite -> its results.
    """
    write_text_atomically(page, render(as_of, verdict, counts, suites))


def render(as_of: int, verdict: Verdict, counts: Counts, suites: dict[str, list[ExpectationResult]]) -> str:
    """Return the page: verdict, row counts, failures, warnings, then all that passed."""
    failed = failures(result for results in suites.values() for result in results)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(TEMPLATE).render(
        snapshot_time=f"{datetime.fromtimestamp(as_of / 1_000_000, UTC):%Y-%m-%d %H:%M:%S} UTC",
        verdict=verdict,
        counts=counts,
        failures=[result for result in failed if result.is_critical],
        warnings=[result for result in failed if not result.is_critical],
        passed={
            title: [result for result in results if not result.failed_rows]
            for title, results in suites.items()
        },
        version=version("great-expectations"),
    )
