"""Renders an online report as one self-contained HTML page."""

from pathlib import Path
from typing import Final

import pyarrow as pa
from markupsafe import Markup

from components.evaluate_online.exposure_plot import MAX_PANELS, exposure_plot
from components.evaluate_online.online_metrics import Measured, OnlineSlice
from components.evaluate_online.online_report import OnlineReport
from components.evaluate_online.over_time import over_time
from components.html_pages.rendering import render_page
from components.metrics.bootstrap import MIN_USERS
from feature_repo.table_schemas import TIMESTAMP

# Metric -> heading and whether it is a share.
HEADINGS: Final = {
    "click_through_rate": ("click-through", True),
    "conversion_rate": ("conversion", True),
    "dismissal_rate": ("dismissed", True),
    "dwell_seconds": ("dwell (s)", False),
    "useful_share": ("useful", True),
    "mean_rating": ("rating", False),
    "novelty_bits": ("novelty (bits)", False),
}


def render(report: OnlineReport) -> str:
    """Return the page."""
    dimensions: dict[str, list[OnlineSlice]] = {}
    for each in report.slices[1:]:
        dimensions.setdefault(each.dimension, []).append(each)
    return render_page(
        Path(__file__).with_name("page_template.html"),
        report=report,
        dimensions=dimensions,
        headings={name: HEADINGS[name] for name in _measured(report)},
        window=f"{_time(report.start)} to {_time(report.end)}",
        plot=Markup(over_time(dimensions.get("day", []), HEADINGS)),
        exposure_plot=Markup(exposure_plot(report.exposure)) if report.exposure else "",
        max_panels=MAX_PANELS,
        min_users=MIN_USERS,
        number=number,
        ends=ends,
    )


def number(metric: str, measured: Measured | None) -> str:
    """Return a metric's value, a share in percent; "–" if nothing is known."""
    return "–" if measured is None else _written(metric, measured.value)


def ends(metric: str, measured: Measured | None) -> str:
    """Return the bounds of a metric's interval; "" without one."""
    if measured is None or measured.low is None or measured.high is None:
        return ""
    scale = 100 if HEADINGS[metric][1] else 1
    return f"{scale * measured.low:.2f}–{scale * measured.high:.2f}"


def _written(metric: str, value: float) -> str:
    return f"{100 * value:.2f} %" if HEADINGS[metric][1] else f"{value:.2f}"


def _time(microseconds: int) -> str:
    return f"{pa.scalar(microseconds, TIMESTAMP).as_py():%Y-%m-%d %H:%M}"


def _measured(report: OnlineReport) -> list[str]:
    """Return the metrics that any slice has."""
    return [name for name in HEADINGS if any(name in each.metrics for each in report.slices)]
