"""The report's plots, as SVG text."""

import io
import re

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from components.evaluate_release.metrics import list_metrics
from components.evaluate_release.metrics.accuracy import recall
from components.evaluate_release.metrics.metric_calculator import Figure
from components.evaluate_release.metrics.slices import Slice
from components.evaluate_release.model_names import LABELS, LIVE, SERVED
from components.evaluate_release.report.drift_plot import drift
from components.evaluate_release.report.plot_style import COLORS, STYLE
from components.evaluate_release.report.results import EvaluationResults
from components.evaluate_release.report.tracking import Curve


def plots(results: EvaluationResults, curves: dict[str, Curve]) -> dict[str, str]:
    """Map name -> SVG; plots without data are left out."""
    with mpl.rc_context(STYLE):  # type: ignore[arg-type]
        drawn = {
            "accuracy": accuracy(results),
            "slices": slices(results.slices),
            "drift": drift(results.drift),
            "exposure": exposure(results),
            "learning": learning(curves),
        }
        return {name: svg(canvas) for name, canvas in drawn.items() if canvas is not None}


def accuracy(results: EvaluationResults) -> Canvas:
    """Plot NDCG@10 with its interval, and recall at each k."""
    canvas = Canvas(figsize=(9.6, 3.2), layout="constrained")
    left, right = canvas.subplots(1, 2, width_ratios=(1, 1.15))
    _intervals(left, {name: figures["ndcg_at_10"] for name, figures in results.metrics.items()})
    ks = range(1, 101)
    for name, ranked in results.models.items():
        at_k = [recall(ranked.ranks, k).mean() for k in ks]
        right.plot(ks, at_k, color=COLORS[name], label=LABELS[name], linewidth=2)
    right.set(title="Recall at k", xlabel="k", xscale="log", xlim=(1, 100), ylim=(0, None))
    right.set_xticks([1, 2, 5, 10, 20, 50, 100], labels=["1", "2", "5", "10", "20", "50", "100"])
    right.minorticks_off()
    right.legend(fontsize=9)
    return canvas


def slices(parts: list[Slice]) -> Canvas | None:
    """Plot NDCG@10 of every model on every slice, one panel per dimension."""
    dimensions = list(dict.fromkeys(part.dimension for part in parts))
    if not dimensions:
        return None
    rows = [[part for part in parts if part.dimension == dimension] for dimension in dimensions]
    height = sum(len(row) for row in rows) * 0.34 + 0.75 * len(rows) + 0.3
    canvas = Canvas(figsize=(9.6, height), layout="constrained")
    panels = canvas.subplots(
        len(rows), 1, sharex=True, squeeze=False, height_ratios=[len(row) + 0.5 for row in rows]
    )
    for axes, row, dimension in zip(panels[:, 0], rows, dimensions, strict=True):
        _slice_panel(axes, row, f"By {dimension}")
    panels[-1, 0].set(xlabel="NDCG@10", xlim=(0, None))
    canvas.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=4, fontsize=9)
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
    axes.plot([0, 100], [0, 100], color="#b6bcc6", linewidth=1, linestyle=(0, (4, 3)))
    axes.set(
        xlabel="items, least shown first (%)", ylabel="share of all recommendations (%)", title="Exposure"
    )
    axes.set(xlim=(0, 100), ylim=(0, 100))
    axes.legend(fontsize=9, loc="upper left")
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


def svg(canvas: Canvas) -> str:
    """Render a plot as an SVG element without prologue and date; the page sets its width."""
    buffer = io.StringIO()
    canvas.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    return re.sub(r'(<svg [^>]*?)width="[^"]*" height="[^"]*"', r"\1", text[text.index("<svg") :], count=1)


def _intervals(axes: Axes, figures: dict[str, Figure]) -> None:
    for position, (name, figure) in enumerate(figures.items()):
        if figure.low is not None and figure.high is not None:
            span = [figure.low, figure.high]
            axes.plot(
                span, [position] * 2, color=COLORS[name], linewidth=7, alpha=0.25, solid_capstyle="butt"
            )
        axes.plot(figure.value, position, "o", color=COLORS[name], markersize=8)
        label, at = f"{figure.value:.3f}", (figure.value, position)
        axes.annotate(label, at, (0, 9), textcoords="offset points", ha="center", fontsize=9)
    axes.set_yticks(range(len(figures)), labels=[LABELS[name] for name in figures])
    axes.set(title="NDCG@10 and its 95 % interval", xlim=(0, None), ylim=(len(figures) - 0.5, -0.7))
    axes.grid(axis="y", visible=False)


def _slice_panel(axes: Axes, row: list[Slice], title: str) -> None:
    positions = np.arange(len(row))
    for name in [name for name in row[0].ndcg_at_10 if name != LIVE]:
        if name == SERVED:
            for position, part in zip(positions, row, strict=True):
                span = [part.low.get(name, np.nan), part.high.get(name, np.nan)]
                axes.plot(
                    span, [position] * 2, color=COLORS[name], linewidth=7, alpha=0.2, solid_capstyle="butt"
                )
        values = [part.ndcg_at_10[name] for part in row]
        size, zorder = (8, 3) if name == SERVED else (6, 2)
        style = {"color": COLORS[name], "markersize": size, "zorder": zorder, "linestyle": "none"}
        axes.plot(values, positions, marker="o", label=LABELS[name], **style)  # type: ignore[arg-type]
    labels = [f"{part.label}  ({part.queries:,})" for part in row]
    axes.set_yticks(positions, labels=labels)
    axes.set(title=title, ylim=(len(row) - 0.5, -0.5))
