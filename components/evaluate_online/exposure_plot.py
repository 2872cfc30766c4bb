"""Plots each provider's share of exposure over time, beside those of clicks and of the catalog, as SVG."""

from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure as Canvas

from components.evaluate_online.provider_exposure import ExposureOverTime, ProviderOverTime
from components.model_names import SERVED
from components.plots.plot_style import COLORS, FAINT, STYLE
from components.plots.svg import svg

_COLUMNS: Final = 3
# The table of the page has all providers.
MAX_PANELS: Final = 9


def exposure_plot(exposure: ExposureOverTime) -> str:
    """Return a panel for each of the most exposed providers; "" with fewer than two periods."""
    if len(exposure.starts) < 2:
        return ""
    shown = exposure.providers[:MAX_PANELS]
    columns = min(_COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    with mpl.rc_context(STYLE):  # type: ignore[arg-type]
        canvas = Canvas(figsize=(9.6, 0.4 + 2.3 * rows), layout="constrained")
        panels = canvas.subplots(rows, columns, squeeze=False).ravel()
        for axes, provider in zip(panels, shown, strict=False):
            _panel(axes, provider, exposure.starts)
        for axes in panels[len(shown) :]:
            axes.remove()
        handles, labels = panels[0].get_legend_handles_labels()
        canvas.legend(handles, labels, loc="outside upper left", ncols=len(labels), frameon=False, fontsize=9)
        return svg(canvas)


def _panel(axes: Any, provider: ProviderOverTime, starts: list[str]) -> None:
    places, color = range(len(starts)), COLORS[SERVED]
    values, low, high = (
        [100 * (each.value if bound is None else bound) for each, bound in pairs]
        for pairs in (
            [(each, each.value) for each in provider.exposures],
            [(each, each.low) for each in provider.exposures],
            [(each, each.high) for each in provider.exposures],
        )
    )
    axes.fill_between(places, low, high, color=color, alpha=0.2, linewidth=0, label="95 % interval")
    axes.plot(places, values, color=color, linewidth=2, label="share of exposure")
    clicks = [float("nan") if share is None else 100 * share for share in provider.clicks_by_period]
    axes.plot(places, clicks, color=color, linewidth=1, linestyle=(0, (1, 2)), label="share of clicks")
    catalog = 100 * provider.catalog
    axes.axhline(catalog, color=FAINT, linewidth=1, linestyle=(0, (4, 3)), label="share of the catalog")
    step = max(1, len(starts) // 4)
    axes.set_xticks(range(0, len(starts), step), labels=[start[5:] for start in starts[::step]])
    axes.set(ylim=(0, 1.15 * max([*high, catalog]) or 1))
    axes.set_title(f"{provider.provider} (%)", parse_math=False)  # a name with $ is no formula
