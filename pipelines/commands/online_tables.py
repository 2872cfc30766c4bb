"""Tables of an online report."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.table import Column, Table
from rich.text import Text

from components.evaluate_online.page import HEADINGS

if TYPE_CHECKING:
    from components.evaluate_online.candidate_estimates import CandidateEvaluation
    from components.evaluate_online.online_metrics import Measured
    from components.evaluate_online.online_report import OnlineReport
    from components.evaluate_online.provider_exposure import ExposureOverTime

# The metrics of the table with their intervals, and those without; the page has the intervals of all.
_SHARES = ("click_through_rate", "conversion_rate", "dismissal_rate", "useful_share")
_OTHERS = ("dwell_seconds", "mean_rating", "novelty_bits")


def online_tables(report: "OnlineReport") -> Iterator[Table | str]:
    """Yield a sentence about the attribution, and one table for all dimensions."""
    events, total = report.events, report.total
    yield (
        f"{total.answers:,} answers to {total.users:,} users, {total.places:,} shown items, "
        f"{total.items:,} distinct"
        + ("" if total.coverage is None else f" ({100 * total.coverage:.1f} % of the catalog)")
    )
    yield (
        f"{events.by_request:,} interactions name their answer, {events.by_time:,} are attributed by time "
        f"({report.attribution.touch} touch), {events.unattributed:,} belong to no recorded answer; "
        f"left out: {events.duplicates:,} duplicates, {events.bots:,} interactions of "
        f"{events.bot_users:,} bots"
    )
    shares, others = (
        [name for name in names if any(name in each.metrics for each in report.slices)]
        for names in (_SHARES, _OTHERS)
    )
    headings = [f"{HEADINGS[name][0]} (%)" for name in shares] + [HEADINGS[name][0] for name in others]
    columns = (Column(heading, justify="right") for heading in ("shown", "coverage (%)", *headings))
    table = Table("", "", *columns, caption="in brackets: 95 % intervals")
    dimension = None
    for each in report.slices:
        if each.dimension != dimension:
            table.add_section()
        heading = each.dimension if each.dimension != dimension else ""
        dimension = each.dimension
        coverage = "–" if each.coverage is None else f"{100 * each.coverage:.1f}"
        cells: list[str | Text] = [
            *(_cell(each.metrics.get(name)) for name in shares),
            *(_plain(each.metrics.get(name)) for name in others),
        ]
        label = each.label or "all"
        table.add_row(heading, Text(label), f"{each.places:,}", coverage, *cells)
    yield table
    if report.exposure:
        yield _exposure_table(report.exposure)


def _exposure_table(exposure: "ExposureOverTime") -> Table:
    """Show each provider's share of exposure, and its change."""
    first, last = (exposure.starts[number] for number in exposure.compared or (0, -1))
    headings = (
        "exposure (%)",
        f"change, {exposure.period} of {first} to {last}",
        "clicks (%)",
        "catalog (%)",
    )
    columns = (Column(heading, justify="right") for heading in headings)
    table = Table(
        exposure.column,
        *columns,
        title="Exposure of providers over time",
        title_justify="left",
        caption="in brackets: 95 % intervals, of the changes for all providers together",
    )
    for row in exposure.providers:
        change = "–" if row.change is None else _cell(row.change, "+")
        clicks = "–" if row.clicks is None else f"{100 * row.clicks:.2f}"
        table.add_row(Text(row.provider), _cell(row.exposure), change, clicks, f"{100 * row.catalog:.2f}")
    return table


def candidate_table(release: int, candidate: "CandidateEvaluation") -> Table:
    """Show the estimates for a release next to what the live one earned."""
    evaluation = candidate.evaluation
    title = (
        f"{evaluation.answers:,} answers, worth {evaluation.effective:,.0f} of release {release}; support "
        f"{evaluation.support:.2f}"
    )
    table = Table("", "clicks per answer", "95 % interval", title=title, title_justify="left")
    table.add_row("live, as logged", f"{candidate.live:.4f}", "")
    for each in evaluation.estimates:
        table.add_row(
            f"release {release}, {each.method}", f"{each.value:.4f}", f"{each.low:.4f}–{each.high:.4f}"
        )
    return table


def _plain(measured: "Measured | None") -> str:
    return "–" if measured is None else f"{measured.value:.2f}"


def _cell(measured: "Measured | None", sign: str = "") -> Text:
    if measured is None:
        return Text("–")
    value = f"{100 * measured.value:{sign}.2f}"
    if measured.low is None or measured.high is None:
        return Text(value)
    between = " to " if sign else "–"
    bounds = f" ({100 * measured.low:{sign}.2f}{between}{100 * measured.high:{sign}.2f})"
    return Text.assemble(value, (bounds, "dim"))
