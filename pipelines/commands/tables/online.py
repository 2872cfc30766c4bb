"""Tables of an online report."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from rich.table import Column, Table
from rich.text import Text

from components.evaluate_online.page import HEADINGS
from feature_repo.counts import counted

if TYPE_CHECKING:
    from components.evaluate_online.candidate_estimates import CandidateEvaluation
    from components.evaluate_online.online_metrics import Measured
    from components.evaluate_online.online_report import OnlineReport
    from components.evaluate_online.provider_exposure import ExposureOverTime

# The metrics in the order in which a table has them, as far as they fit beside the others; the page has all.
_METRICS: Final = (
    "click_through_rate",
    "conversion_rate",
    "dismissal_rate",
    "useful_share",
    "dwell_seconds",
    "mean_rating",
    "novelty_bits",
)
# Widths in characters, of what is beside the metrics, and of a metric with its interval, both with borders.
_OTHERS_WIDTH: Final = 35
_METRIC_WIDTH: Final = 15


def online_tables(report: "OnlineReport", width: int) -> Iterator[Table | str]:
    """Yield a sentence about the attribution, and one table for all dimensions, `width` characters wide."""
    events, total = report.events, report.total
    yield (
        f"{counted(total.answers, 'answer')} to {counted(total.users, 'user')}, "
        f"{counted(total.places, 'shown item')}, "
        f"{total.items:,} distinct"
        + ("" if total.coverage is None else f" ({100 * total.coverage:.1f} % of the catalog)")
    )
    yield (
        f"interactions that name their answer: {events.by_request:,}, attributed by time: {events.by_time:,} "
        f"({report.attribution.touch} touch), of no recorded answer: {events.unattributed:,}; left out: "
        f"{counted(events.duplicates, 'duplicate')}, {counted(events.bots, 'interaction')} of "
        f"{counted(events.bot_users, 'bot')}"
    )
    measured = [name for name in _METRICS if any(name in each.metrics for each in report.slices)]
    names = measured[: max(1, (width - _OTHERS_WIDTH) // _METRIC_WIDTH)]
    columns = (Column(_heading(name), justify="right", min_width=_METRIC_WIDTH - 3) for name in names)
    left_out = ", ".join(HEADINGS[name][0] for name in measured[len(names) :])
    table = Table(
        Column(width=11, overflow="fold"),
        Column("shown", justify="right"),
        Column("coverage (%)", justify="right", width=8),
        *columns,
        caption="in brackets: 95 % intervals" + (f"; in the page also: {left_out}" if left_out else ""),
    )
    dimension = ""
    for each in report.slices:
        if each.dimension != dimension:
            table.add_section()
            table.add_row(Text(each.dimension, "dim"))
        dimension = each.dimension
        coverage = "–" if each.coverage is None else f"{100 * each.coverage:.1f}"
        cells = (_cell(each.metrics.get(name), scale=100 if HEADINGS[name][1] else 1) for name in names)
        table.add_row(Text(each.label or "all"), f"{each.places:,}", coverage, *cells)
    yield table
    if report.exposure:
        yield _exposure_table(report.exposure)


def _heading(metric: str) -> str:
    name, is_share = HEADINGS[metric]
    return (f"{name} (%)" if is_share else name).replace("-", "-\n")


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
        f"{counted(evaluation.answers, 'answer')}, worth {evaluation.effective:,.0f} of release {release}; "
        f"support {evaluation.support:.2f}"
    )
    table = Table("", "clicks per answer", "95 % interval", title=title, title_justify="left")
    table.add_row("live, as logged", f"{candidate.live:.4f}", "")
    for each in evaluation.estimates:
        table.add_row(
            f"release {release}, {each.method}", f"{each.value:.4f}", f"{each.low:.4f}–{each.high:.4f}"
        )
    return table


def _cell(measured: "Measured | None", sign: str = "", scale: float = 100) -> Text:
    if measured is None:
        return Text("–")
    value = _number(scale * measured.value, sign)
    if measured.low is None or measured.high is None:
        return Text(value)
    between = " to " if sign else "–"
    bounds = between.join(_number(scale * bound, sign) for bound in (measured.low, measured.high))
    return Text.assemble(value, (f" ({bounds})", "dim"))


def _number(value: float, sign: str) -> str:
    """Return a number with three digits or more."""
    return f"{value:{sign}.2f}" if abs(value) < 10 else f"{value:{sign}.1f}"
