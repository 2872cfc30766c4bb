"""Renders the results as one self-contained HTML page."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from components.evaluate_release.drift.interest_shifts import STEPS
from components.evaluate_release.metrics.accuracy import ACCURACY, MISS
from components.evaluate_release.metrics.metric_calculator import KS, Figure
from components.evaluate_release.model_names import LABELS, SERVED
from components.evaluate_release.report.notes import notes
from components.evaluate_release.report.plot_style import COLORS
from components.evaluate_release.report.plots import plots
from components.evaluate_release.report.result_files import rules, utc
from components.evaluate_release.report.results import EvaluationResults
from components.evaluate_release.report.tracking import Curve
from feature_repo.atomic_files import write_text_atomically
from serving.release.catalog import Catalog

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
MAX_USERS: Final = 10
MAX_ITEMS: Final = 10


@dataclass(frozen=True)
class Cell:
    """A cell of the metrics table; `best` marks the best model of its row."""

    figure: Figure | None
    best: bool


def write_report(results: EvaluationResults, curves: dict[str, Curve], file: Path) -> None:
    """Render the page and write it atomically."""
    folder = Path(__file__).parent
    environment = Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined)
    page = environment.get_template("report_template.html").render(context(results, curves))
    write_text_atomically(file, page)


def context(results: EvaluationResults, curves: dict[str, Curve]) -> dict[str, Any]:
    """Return the template's variables."""
    return {
        "results": results,
        "served": results.metrics[SERVED],
        "baseline": (LABELS[results.baseline], results.metrics[results.baseline]),
        "labels": LABELS,
        "colors": COLORS,
        "metrics": METRICS,
        "tables": {k: table(results, k) for k in KS},
        "plots": {name: Markup(svg) for name, svg in plots(results, curves).items()},
        "steps": STEPS,
        "blend": blend_weights(results.blend),
        "users": users(results),
        "rules": rules(results),
        "headline": headline(results),
        "notes": notes(results),
        "counts": {label: results.counts[name] for name, label in COUNTS.items()},
        "spans": {
            name: f"{utc(int(part.cutoffs.min()))} to {utc(int(part.cutoffs.max()))}"
            for name, part in (("validation", results.validation), ("test", results.test))
        },
        "learned_until": utc(results.learned_until),
    }


def headline(results: EvaluationResults) -> str:
    """Return the gate's decision in a few words."""
    compared = "the live version" if results.live else "the best baseline"
    return {
        "better": f"Better than {compared}",
        "undecided": f"Not shown to be better than {compared}",
        "worse": "Worse than the live version" if results.live else "Worse than the best baseline",
    }[results.gate_decision.outcome]


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


def users(results: EvaluationResults) -> list[dict[str, Any]]:
    """Return the histories, recommendations and targets of some users with a history, drawn at random."""
    queries, answers, catalog = results.test, results.models[SERVED], results.catalog
    first_of_user = np.unique(queries.users, return_index=True)[1]
    with_history = first_of_user[queries.lengths()[first_of_user] > 0]
    chosen = np.random.default_rng(results.seed).permutation(with_history)[:MAX_USERS]
    return [
        {
            "user_id": queries.user_ids[position],
            "history": [_item(catalog, item) for item in queries.items[position][::-1][:MAX_ITEMS]],
            "length": len(queries.histories[position]),
            "recommendations": [
                _item(catalog, item) | {"hit": item == queries.targets[position]}
                for item in answers.items[position][:MAX_ITEMS]
                if item >= 0
            ],
            "target": _item(catalog, queries.targets[position]),
            "rank": None if answers.ranks[position] == MISS else int(answers.ranks[position]),
        }
        for position in chosen
    ]


def _item(catalog: Catalog, index: int) -> dict[str, Any]:
    title = catalog.titles[index] or catalog.item_ids[index]
    return {"title": title, "categories": ", ".join(catalog.categories[index][:3])}
