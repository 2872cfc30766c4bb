"""The report's plots, as SVG text."""

import re

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import LogLocator, MaxNLocator

from components.evaluate_release.report.drift_plot import drift
from components.evaluate_release.report.results import EvaluationResults
from components.evaluate_release.report.tracking import Curve
from components.metrics import list_metrics
from components.metrics.accuracy import recall
from components.model_names import LABELS, SERVED
from components.plots.plot_style import COLORS, FAINT, STYLE
from components.plots.svg import svg


def plots(results: EvaluationResults, curves: dict[str, Curve]) -> dict[str, str]:
    """Map name -> SVG; plots without data are left out."""
    with mpl.rc_context(STYLE):  # type: ignore[arg-type]
        drawn = {
            "recall": recall_curves(results),
            "drift": drift(results.drift),
            "exposure": exposure(results),
            "learning": learning(curves),
            "reliability": reliability(results.blend.get("calibration", {}).get("reliability", [])),
        }
        return {name: svg(canvas) for name, canvas in drawn.items() if canvas is not None}


def recall_curves(results: EvaluationResults) -> Canvas:
    """Plot recall at each k."""
    canvas = Canvas(figsize=(9.6, 3.0), layout="constrained")
    axes, ks = canvas.subplots(), range(1, 101)
    for name, ranked in results.models.items():
        at_k = [recall(ranked.ranks, k).mean() for k in ks]
        axes.plot(ks, at_k, color=COLORS[name], label=LABELS[name], linewidth=2)
    axes.set(xlabel="k", xscale="log", xlim=(1, 100), ylim=(0, None))
    axes.set_xticks([1, 2, 5, 10, 20, 50, 100], labels=["1", "2", "5", "10", "20", "50", "100"])
    axes.minorticks_off()
    axes.legend(fontsize=9)
    return canvas


def exposure(results: EvaluationResults) -> Canvas:
    """Plot Lorenz curves: the share of all recommendations that the least shown items have."""
    canvas = Canvas(figsize=(4.7, 3.4), layout="constrained")
    axes, n_items = canvas.subplots(), len(results.catalog)
    share = np.linspace(0, 100, n_items + 1)
    for name, ranked in results.models.items():
        counts = np.sort(list_metrics.exposure(ranked.items[:, :10], n_items))
        held = 100 * np.concatenate([[0], np.cumsum(counts)]) / max(counts.sum(), 1)
        axes.plot(share, held, color=COLORS[name], label=LABELS[name], linewidth=2)
    axes.plot([0, 100], [0, 100], color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
    axes.set(
        xlabel="items, least shown first (%)", ylabel="share of all recommendations (%)", title="Exposure"
    )
    axes.set(xlim=(0, 100), ylim=(0, 100))
    axes.legend(fontsize=9, loc="upper left")
    return canvas


def reliability(points: list[dict[str, float]]) -> Canvas | None:
    """Plot how often items with a predicted probability were chosen, with 95 % intervals."""
    if not points:
        return None
    canvas = Canvas(figsize=(4.7, 3.4), layout="constrained")
    axes = canvas.subplots()
    predicted, observed, low, high = (
        np.array([100 * point[name] for point in points]) for name in ("predicted", "observed", "low", "high")
    )
    color = COLORS[SERVED]
    axes.vlines(predicted, low, high, color=color, alpha=0.4, linewidth=2)
    axes.plot(predicted, observed, color=color, marker="o", markersize=4, linewidth=1)
    ends = [max(min(predicted.min(), low.min()), 1e-3), max(predicted.max(), high.max())]
    axes.plot(ends, ends, color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
    axes.set(xscale="log", yscale="log", xlabel="predicted (%)", ylabel="observed (%)")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    return canvas


def learning(curves: dict[str, Curve]) -> Canvas | None:
    """Plot the losses and validation metrics that the training logged, by epoch."""
    groups = {
        "Loss": [name for name in curves if "loss" in name],
        "Validation": [name for name in curves if re.search("ndcg|hr_|recall|mrr|hit_rate", name)],
    }
    shown = {title: names for title, names in groups.items() if names}
    if not shown:
        return None
    canvas = Canvas(figsize=(4.7 * len(shown), 3.0), layout="constrained")
    panels = canvas.subplots(1, len(shown), squeeze=False)[0]
    for axes, (title, names) in zip(panels, shown.items(), strict=True):
        for name, color in zip(names, mpl.color_sequences["tab10"] * len(names), strict=False):
            axes.plot(*zip(*curves[name], strict=True), label=name, color=color, linewidth=2)
        axes.set(title=title, xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(fontsize=9)
    return canvas
