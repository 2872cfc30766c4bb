"""What became of each expectation, and how a person is told."""

from dataclasses import dataclass, field
from typing import Final

EXAMPLES: Final = 3


@dataclass
class Finding:
    """What became of one expectation over all frames."""

    expectation: str
    column: str
    reason: str
    severity: str
    statement: str
    rows: int = 0
    failed: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        return self.failed / self.rows if self.rows else 0.0

    @property
    def stops(self) -> bool:
        """Whether failing it is more than a warning."""
        return self.severity == "critical"


def table(findings: list[Finding]) -> str:
    """What failed, one line each, most rows first: column and reason, rows, share, examples, expectation."""
    cells = [
        (
            f"{finding.column}: {finding.reason}" + ("" if finding.stops else " (warning)"),
            f"{finding.failed:,} rows" if finding.rows > 1 else "",
            f"{finding.share:.2%}" if finding.rows > 1 else "",
            ", ".join(finding.examples),
            finding.expectation,
        )
        for finding in sorted(findings, key=lambda finding: -finding.failed)
        if finding.failed
    ]
    widths = [max((len(row[column]) for row in cells), default=0) for column in range(5)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)
