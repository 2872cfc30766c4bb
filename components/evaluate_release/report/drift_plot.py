"""Plots interest drift: how fast each model's list changes to the new item group."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from components.evaluate_release.drift.drift_metrics import FOLLOWING, DriftMetrics, DriftResults
from components.evaluate_release.drift.interest_shifts import STEPS
from components.model_names import LABELS
from components.plots.plot_style import COLORS, FAINT, SOFT

# Steps are spaced evenly, since the first ones matter most.
POSITIONS = range(len(STEPS))


def drift(results: DriftResults) -> Canvas | None:
    """Plot the new group's share by interactions since the shift, one panel per kind of users."""
    if not results.kinds:
        return None
    canvas = Canvas(figsize=(9.6, 3.7), layout="constrained")
    panels = canvas.subplots(1, len(results.kinds), sharey=True, squeeze=False)[0]
    for axes, (kind, metrics) in zip(panels, results.kinds.items(), strict=True):
        _panel(axes, metrics, f"{metrics.users} {kind} users")
    panels[0].set(ylabel="new group's share of the first ten (%)")
    canvas.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9)
    return canvas


def _panel(axes: Axes, metrics: DriftMetrics, title: str) -> None:
    for name, model in metrics.models.items():
        values = [100 * share for share in model.share]
        axes.plot(
            POSITIONS, values, marker="o", markersize=4, linewidth=2, color=COLORS[name], label=LABELS[name]
        )
    base = 100 * metrics.base_rate
    axes.axhline(base, color=SOFT, linewidth=1, linestyle=":", label="Share of all interactions")
    axes.axhline(
        100 * FOLLOWING, color=FAINT, linewidth=1, linestyle=(0, (4, 3)), label="Half of the first ten"
    )
    axes.set_xticks(POSITIONS, labels=[str(step) for step in STEPS])
    axes.set(title=title, xlabel="interactions with the new group", ylim=(0, 100))
