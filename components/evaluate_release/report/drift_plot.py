"""The picture of interest drift: how fast each model's answer turns to the new taste."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from components.evaluate_release.drift.drift_metrics import FOLLOWING, DriftMetrics, DriftResults
from components.evaluate_release.drift.interest_shifts import STEPS
from components.evaluate_release.model_names import LABELS
from components.evaluate_release.report.plot_style import COLORS

# Steps stand apart evenly: the first few are what matters.
PLACES = range(len(STEPS))


def drift(results: DriftResults) -> Canvas | None:
    """The share of the new taste in the ten by interactions since the switch, a panel a kind of users."""
    if not results.kinds:
        return None
    canvas = Canvas(figsize=(9.6, 3.7), layout="constrained")
    panels = canvas.subplots(1, len(results.kinds), sharey=True, squeeze=False)[0]
    for axes, (kind, found) in zip(panels, results.kinds.items(), strict=True):
        _panel(axes, found, f"{found.users} {kind} users")
    panels[0].set(ylabel="new taste in the ten (%)")
    canvas.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9)
    return canvas


def _panel(axes: Axes, found: DriftMetrics, title: str) -> None:
    for name, following in found.models.items():
        values = [100 * share for share in following.share]
        axes.plot(
            PLACES, values, marker="o", markersize=4, linewidth=2, color=COLORS[name], label=LABELS[name]
        )
    base = 100 * found.base_rate
    axes.axhline(base, color="#4b5563", linewidth=1, linestyle=":", label="New taste's base rate")
    axes.axhline(
        100 * FOLLOWING, color="#b6bcc6", linewidth=1, linestyle=(0, (4, 3)), label="Half of the ten"
    )
    axes.set_xticks(PLACES, labels=[str(step) for step in STEPS])
    axes.set(title=title, xlabel="interactions with the new taste", ylim=(0, 100))
