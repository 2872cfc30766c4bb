"""The Data Docs: what was expected, in Great Expectations' words, and what was found, on one page.

The page is whole in itself: Great Expectations' own site loads styles and scripts from the net, and the HTML
views of 1.24 escape their own markup, so only its wording is used here.
"""

from datetime import UTC, datetime
from html import escape
from typing import Final

from components.validate_interactions.findings import Finding

STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 75rem; margin: 2rem auto }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% } th { text-align: left; color: #666; font-weight: 500 }
th, td { padding: .35rem .6rem; border-bottom: 1px solid #e4e4e4; vertical-align: top }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
code { background: #f3f3f3; padding: 0 .25rem; margin-right: .3rem; overflow-wrap: anywhere }
.met { color: #1a7f37 } .failed { color: #c1121f; font-weight: 600 } .warning { color: #9a6700 }
@media (prefers-color-scheme: dark) {
  body { background: #161616; color: #ddd } code { background: #2a2a2a } th, td { border-color: #333 }
  .met { color: #57ab5a } .failed { color: #ff6b6b } .warning { color: #d4a72c } }
"""


def render(as_of: int, counts: dict[str, int | float], suites: dict[str, list[Finding]]) -> str:
    """The page as HTML.

    Args:
        as_of: the moment of the run, µs since the epoch.
        counts: what became of the rows, by name.
        suites: the findings of each suite, by its title.
    """
    moment = datetime.fromtimestamp(as_of / 1_000_000, UTC)
    summary = _table(
        ["", ""],
        [[escape(name.replace("_", " ")), _number(value)] for name, value in counts.items()],
    )
    sections = "".join(f"<h2>{escape(title)}</h2>{_findings(found)}" for title, found in suites.items())
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Data Docs: interactions</title>'
        f"<style>{STYLE}</style></head><body><h1>Interactions as of {moment:%Y-%m-%d %H:%M:%S} UTC</h1>"
        f"{summary}{sections}<p>Checked by Great Expectations.</p></body></html>"
    )


def _findings(findings: list[Finding]) -> str:
    ordered = sorted(findings, key=lambda finding: (finding.failed == 0, finding.column))
    header = ["", "column", "expected", "failed", "share", "examples"]
    return _table(header, [_cells(finding) for finding in ordered])


def _cells(finding: Finding) -> list[str]:
    state = "met" if not finding.failed else "failed" if finding.stops else "warning"
    return [
        f'<span class="{state}">{state}</span>',
        escape(finding.column),
        f"{escape(finding.statement)} <small>{escape(finding.expectation)}</small>",
        _number(finding.failed),
        f"{finding.share:.2%}" if finding.failed else "",
        "".join(f"<code>{escape(example)}</code>" for example in finding.examples),
    ]


def _table(header: list[str], rows: list[list[str]]) -> str:
    head = "".join(f"<th>{name}</th>" for name in header)
    numeric = {position for position, name in enumerate(header) if name in {"failed", "share"}}
    body = "".join(
        "<tr>"
        + "".join(f"<td{' class=number' if n in numeric else ''}>{cell}</td>" for n, cell in enumerate(row))
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _number(value: int | float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
