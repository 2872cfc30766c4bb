"""Plots the metrics by day with their intervals, as SVG text."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure as Canvas

from components.evaluate_online.online_metrics import OnlineSlice
from components.model_names import SERVED
from components.plots.plot_style import COLORS, STYLE
from components.plots.svg import svg

_COLUMNS = 2


def over_time(days: Sequence[OnlineSlice], headings: Mapping[str, tuple[str, bool]]) -> str:
    """Return a panel for each metric that two days or more have; "" without any.

    Args:
        headings: metric -> its heading, and whether it is a share.
    """
    shown = [name for name in headings if sum(name in day.metrics for day in days) > 1]
    if not shown:
        return ""
    rows = -(-len(shown) // _COLUMNS)
    with mpl.rc_context(STYLE):  # type: ignore[arg-type]
        canvas = Canvas(figsize=(9.6, 2.3 * rows), layout="constrained")
        panels = canvas.subplots(rows, _COLUMNS, squeeze=False).ravel()
        for axes, name in zip(panels, shown, strict=False):
            _panel(axes, days, name, *headings[name])
        for axes in panels[len(shown) :]:
            axes.remove()
        return svg(canvas)


def _panel(axes: Any, days: Sequence[OnlineSlice], name: str, heading: str, is_share: bool) -> None:
    scale = 100 if is_share else 1
    measured = [(number, day.metrics[name]) for number, day in enumerate(days) if name in day.metrics]
    places = [number for number, _ in measured]
    low = [scale * (each.value if each.low is None else each.low) for _, each in measured]
    high = [scale * (each.value if each.high is None else each.high) for _, each in measured]
    axes.fill_between(places, low, high, color=COLORS[SERVED], alpha=0.2, linewidth=0)
    axes.plot(places, [scale * each.value for _, each in measured], color=COLORS[SERVED], linewidth=2)
    step = max(1, len(days) // 4)
    axes.set_xticks(range(0, len(days), step), labels=[day.label[5:] for day in days[::step]])
    top = max([*high, *(scale * each.value for _, each in measured)])
    axes.set(title=f"{heading} (%)" if is_share else heading, ylim=(0, 1.1 * top or 1))
