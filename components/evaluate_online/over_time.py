"""Plots the click-through rate by day with its interval, as SVG text."""

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.figure import Figure as Canvas

from components.evaluate_online.online_metrics import OnlineSlice
from components.evaluate_release.model_names import SERVED
from components.evaluate_release.report.plot_style import COLORS, STYLE
from components.evaluate_release.report.plots import svg


def over_time(days: Sequence[OnlineSlice]) -> str:
    """Return the plot; "" for fewer than two days."""
    if len(days) < 2:
        return ""
    rates = [day.metrics["click_through_rate"] for day in days]
    values = [100 * rate.value for rate in rates]
    low = [100 * (rate.value if rate.low is None else rate.low) for rate in rates]
    high = [100 * (rate.value if rate.high is None else rate.high) for rate in rates]
    with mpl.rc_context(STYLE):  # type: ignore[arg-type]
        canvas = Canvas(figsize=(9.6, 2.8), layout="constrained")
        axes = canvas.subplots()
        axes.fill_between(range(len(days)), low, high, color=COLORS[SERVED], alpha=0.2, linewidth=0)
        axes.plot(range(len(days)), values, color=COLORS[SERVED], linewidth=2)
        step = max(1, len(days) // 8)
        axes.set_xticks(range(0, len(days), step), labels=[day.label for day in days[::step]])
        axes.set(ylabel="click-through (%)", ylim=(0, None))
        return svg(canvas)
