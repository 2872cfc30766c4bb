"""Results of expectations, and their failures as lines of text."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from feature_repo.counts import counted

EXAMPLES: Final = 3


@dataclass
class ExpectationResult:
    """The result of one expectation over all rows that were checked so far."""

    expectation: str  # the type in Great Expectations, such as expect_column_values_to_not_be_null
    column: str
    problem: str  # what is wrong with a value that fails
    expected: str
    severity: str  # "critical" or "warning"
    rows: int = 0
    failed_rows: int = 0
    examples: list[str] = field(default_factory=list)
    first_interaction: str = ""  # id of the first failed row

    @property
    def failed_share(self) -> float:
        return self.failed_rows / self.rows if self.rows else 0.0

    @property
    def is_critical(self) -> bool:
        """Whether a row that fails goes to the quarantine, or a snapshot that fails stops the run."""
        return self.severity == "critical"


def failures(results: Iterable[ExpectationResult]) -> list[ExpectationResult]:
    """Return the results with failed rows: critical ones first, then by the number of failed rows."""
    failed = (result for result in results if result.failed_rows)
    return sorted(failed, key=lambda result: (not result.is_critical, -result.failed_rows))


def format_failures(results: Iterable[ExpectationResult]) -> str:
    """Return one line for each failure: problem, rows, share, examples, first interaction, expectation."""
    cells = [
        (
            f"{result.column}: {result.problem}" + ("" if result.is_critical else " (warning)"),
            counted(result.failed_rows, "row") if result.rows > 1 else "",
            f"{result.failed_share:.2%}" if result.rows > 1 else "",
            ", ".join(result.examples),
            f"first: interaction {result.first_interaction}" if result.first_interaction else "",
            f"expected {result.expected}",
        )
        for result in failures(results)
    ]
    widths = [max((len(row[column]) for row in cells), default=0) for column in range(6)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)
