"""What `penchant experiment report` prints."""

import math
from collections.abc import Iterator

from rich.table import Column, Table
from rich.text import Text

from components.evaluate_online.always_valid import AlwaysValid
from components.evaluate_online.arm_comparison import SAMPLE_RATIO_ALPHA
from components.evaluate_online.experiment_report import METRICS, ExperimentReport, recommendation


def report_parts(report: ExperimentReport) -> Iterator[str | Table]:
    """Yield a table with a column for each arm, what was tested, and the recommendation."""
    arms = report.arms
    title = f"{report.experiment.kind} {report.experiment.name}"
    caption = "% of the shown items; in brackets: ratio to the first arm, always-valid 95 %"
    columns = (Column(arm.name, justify="right", overflow="fold") for arm in arms)
    table = Table("", *columns, title=title, title_justify="left", caption=caption)
    table.add_row("users", *(f"{arm.users:,}" for arm in arms))
    table.add_row("answers", *(f"{arm.answers:,}" for arm in arms))
    table.add_row("shown items", *(f"{arm.places:,}" for arm in arms))
    for metric in METRICS:
        cells = (_cell(arm.rates[metric], arm.differences[metric]) for arm in arms)
        table.add_row(f"{metric} (%)", *cells)
    yield table
    if report.sample_ratio is not None:
        is_right = report.sample_ratio >= SAMPLE_RATIO_ALPHA
        says = "as their shares say" if is_right else "NOT as their shares say"
        yield f"users of the arms: {says} (always-valid p = {report.sample_ratio:.2f})"
    if report.experiment.kind == "interleaving":
        yield _preference_sentence(report)
    for arm in report.arms[1:]:
        if difference := arm.differences["clicks"]:
            yield f"clicks, {arm.name} over {report.arms[0].name}: always-valid p = {difference.p_value:.2g}"
    yield recommendation(report)


def _preference_sentence(report: ExperimentReport) -> str:
    first, second = report.credited_clicks
    name = report.experiment.arms[1].name
    both = _count(first + second)
    has = f"of {both} clicks on items that only one ranking would have picked, {name} has {_count(second)}"
    if report.preference is None:
        return f"{has}: too few for a test"
    # A preference of -1 to 1 is a share of 0 to 1.
    low, share, high = (
        (1 + value) / 2 for value in (report.preference.low, report.preference.value, report.preference.high)
    )
    interval = f"{max(0.0, low):.1%}–{min(1.0, high):.1%}"
    return f"{has}: {share:.1%} ({interval}), always-valid p = {report.preference.p_value:.2g}"


def _count(clicks: float) -> str:
    """Return clicks as text; those on drawn items count in part."""
    return f"{clicks:,.0f}" if clicks.is_integer() else f"{clicks:,.1f}"


def _cell(rate: float, difference: AlwaysValid | None) -> Text:
    value = f"{100 * rate:.2f}"
    if difference is None:
        return Text(value)
    low, high = math.exp(difference.low), math.exp(difference.high)
    return Text.assemble(value, (f" ({low:.2f}–{high:.2f})", "dim"))
