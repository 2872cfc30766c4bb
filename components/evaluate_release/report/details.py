"""Renders the details of an evaluation, the last part of a release's page, as an HTML fragment."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from components.evaluate_release.drift.interest_shifts import STEPS
from components.evaluate_release.metrics.metric_calculator import KS, Figure
from components.evaluate_release.report.plots import plots
from components.evaluate_release.report.result_files import rules, utc
from components.evaluate_release.report.results import EvaluationResults
from components.evaluate_release.report.tracking import Curve
from components.metrics.accuracy import ACCURACY
from components.model_names import LABELS
from components.plots.plot_style import COLORS

# Metric -> its heading, whether a higher value is better, and its definition.
METRICS: Final = {
    "ndcg": ("NDCG", True, "gain of the target, discounted by log2(1 + rank)"),
    "recall": ("Recall = HR", True, "share of targets in the first k; equals the hit rate for one target"),
    "mrr": ("MRR", True, "1 / rank of the target"),
    "precision": ("Precision", True, "share of the first k that are targets; at most 1/k for one target"),
    "f1": ("F1", True, "harmonic mean of precision and recall"),
    "coverage": ("Coverage", True, "share of the catalog that is in at least one list"),
    "diversity": ("Diversity", True, "mean of 1 - cosine of the categories over the pairs in a list"),
    "novelty": ("Novelty", True, "mean -log2 of an item's share of all interactions, in bits"),
    "serendipity": ("Serendipity", True, "share of a list that is a hit and not in the popularity list"),
    "gini": ("Gini", False, "inequality of exposure: 0 if all items are shown equally, 1 if only one is"),
    "miscalibration": (
        "Miscalibration",
        False,
        "KL divergence of the list's categories from the liked ones",
    ),
}
COUNTS: Final = {
    "items": "items in the catalog",
    "validation_queries": "validation queries",
    "test_queries": "test queries",
    "test_users": "users with test queries",
    "test_queries_without_history": "test queries without a history",
    "test_targets_seen_before": "test targets that are excluded: misses",
    "test_targets_no_candidate": "test targets that were not retrieved: misses of the served ranking",
}


@dataclass(frozen=True)
class Cell:
    """A cell of the metrics table; `best` marks the best model of its row."""

    figure: Figure | None
    best: bool


def render_details(results: EvaluationResults, curves: dict[str, Curve]) -> str:
    """Return the fragment; its classes are those of the page's style."""
    folder = Path(__file__).parent
    environment = Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("details_template.html").render(context(results, curves))


def context(results: EvaluationResults, curves: dict[str, Curve]) -> dict[str, Any]:
    """Return the template's variables."""
    return {
        "results": results,
        "baseline": LABELS[results.baseline],
        "labels": LABELS,
        "colors": COLORS,
        "metrics": METRICS,
        "tables": {k: table(results, k) for k in KS},
        "plots": {name: Markup(svg) for name, svg in plots(results, curves).items()},
        "steps": STEPS,
        "blend": blend_weights(results.blend),
        "rules": rules(results),
        "counts": {label: results.counts[name] for name, label in COUNTS.items()},
        "spans": {
            name: f"{utc(int(part.cutoffs.min()))} to {utc(int(part.cutoffs.max()))}"
            for name, part in (("validation", results.validation), ("test", results.test))
        },
        "learned_until": utc(results.learned_until),
    }


def table(results: EvaluationResults, k: int) -> dict[str, dict[str, Cell]]:
    """Map metric -> model -> cell; the best accuracy of the models with the same queries is marked."""
    rows = {}
    for metric in METRICS:
        figures = {model: metrics.get(f"{metric}_at_{k}") for model, metrics in results.metrics.items()}
        comparable = {
            model: figure.value for model, figure in figures.items() if figure and model in results.models
        }
        best = max(comparable, key=comparable.__getitem__) if comparable and metric in ACCURACY else None
        rows[metric] = {model: Cell(figure, model == best) for model, figure in figures.items()}
    return rows


def blend_weights(blend: dict[str, Any]) -> list[tuple[str, float]]:
    """Return pairs of feature and weight, the largest weight first."""
    pairs = zip(blend["features"], blend["weights"], strict=True)
    return sorted(((feature, float(weight)) for feature, weight in pairs), key=lambda pair: -abs(pair[1]))
