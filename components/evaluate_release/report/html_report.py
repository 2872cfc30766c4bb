"""The results as one HTML page that needs nothing but itself."""

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
from components.evaluate_release.report.plot_style import COLORS
from components.evaluate_release.report.plots import pictures
from components.evaluate_release.report.result_files import day, rules
from components.evaluate_release.report.results import EvaluationResults
from components.evaluate_release.report.tracking import Curve
from feature_repo.atomic_files import write_text_atomically
from serving.release.catalog import Catalog

# Measure -> its heading, whether more is better, and what it says.
MEASURES: Final = {
    "ndcg": ("NDCG", True, "the target's place, discounted by log2(1 + rank)"),
    "recall": (
        "Recall = HR",
        True,
        "share of targets among the first k; with one target the hit rate",
    ),
    "mrr": ("MRR", True, "1 / rank of the target"),
    "precision": ("Precision", True, "share of the first k that are targets; at most 1/k with one target"),
    "f1": ("F1", True, "harmonic mean of precision and recall"),
    "coverage": ("Coverage", True, "share of the catalog that stands in at least one list"),
    "diversity": ("Diversity", True, "mean of 1 - cosine of the categories over the pairs of a list"),
    "novelty": ("Novelty", True, "mean -log2 of an item's share of all interactions, in bits"),
    "serendipity": ("Serendipity", True, "share of a list that is a hit popularity does not have"),
    "gini": ("Gini", False, "how unevenly items are shown: 0 all alike, 1 only one"),
    "miscalibration": ("Miscalibration", False, "KL divergence of the list's categories from the history's"),
}
COUNTS: Final = {
    "items": "items in the catalog",
    "validation_queries": "validation queries",
    "test_queries": "test queries",
    "test_users": "users in the test part",
    "test_queries_without_history": "test queries without any history",
    "test_targets_seen_before": "test targets the user had seen before: a miss, seen items are left out",
    "test_targets_no_candidate": "test targets that no retrieval source named: a miss of the served ranking",
}
USERS, ITEMS_SHOWN = 10, 10


@dataclass(frozen=True)
class Cell:
    figure: Figure | None
    best: bool


def write_report(results: EvaluationResults, curves: dict[str, Curve], file: Path) -> None:
    """Render the page and put it in place in one step."""
    folder = Path(__file__).parent
    environment = Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined)
    page = environment.get_template("report_template.html").render(context(results, curves))
    write_text_atomically(file, page)


def context(results: EvaluationResults, curves: dict[str, Curve]) -> dict[str, Any]:
    """What the template shows."""
    return {
        "results": results,
        "served": results.figures[SERVED],
        "rival": (LABELS[results.rival], results.figures[results.rival]),
        "labels": LABELS,
        "colors": COLORS,
        "measures": MEASURES,
        "tables": {k: table(results, k) for k in KS},
        "pictures": {name: Markup(svg) for name, svg in pictures(results, curves).items()},
        "steps": STEPS,
        "blend": blend_weights(results.blend),
        "users": users(results),
        "rules": rules(results),
        "counts": {label: results.counts[name] for name, label in COUNTS.items()},
        "spans": {
            name: f"{day(int(part.cutoffs.min()))} to {day(int(part.cutoffs.max()))}"
            for name, part in (("validation", results.validation), ("test", results.test))
        },
        "learned_until": day(results.learned_until),
    }


def table(results: EvaluationResults, k: int) -> dict[str, dict[str, Cell]]:
    """Measure -> model -> cell; the most accurate is marked, among models asked the same queries."""
    rows = {}
    for measure in MEASURES:
        figures = {model: of_model.get(f"{measure}_at_{k}") for model, of_model in results.figures.items()}
        alike = {
            model: figure.value for model, figure in figures.items() if figure and model in results.models
        }
        best = max(alike, key=alike.__getitem__) if alike and measure in ACCURACY else None
        rows[measure] = {model: Cell(figure, model == best) for model, figure in figures.items()}
    return rows


def blend_weights(blend: dict[str, Any]) -> list[tuple[str, float]]:
    """Term and weight, the largest first."""
    pairs = zip(blend["features"], blend["weights"], strict=True)
    return sorted(((term, float(weight)) for term, weight in pairs), key=lambda pair: -abs(pair[1]))


def users(results: EvaluationResults) -> list[dict[str, Any]]:
    """Some users' histories beside what was answered and what came next, drawn with the seed."""
    queries, answered, catalog = results.test, results.models[SERVED], results.catalog
    first_of_user = np.unique(queries.users, return_index=True)[1]
    known = first_of_user[queries.lengths()[first_of_user] > 0]
    chosen = np.random.default_rng(results.seed).permutation(known)[:USERS]
    return [
        {
            "user_id": queries.user_ids[position],
            "history": [_item(catalog, item) for item in queries.items[position][::-1][:ITEMS_SHOWN]],
            "length": len(queries.histories[position]),
            "answers": [
                _item(catalog, item) | {"hit": item == queries.targets[position]}
                for item in answered.items[position][:ITEMS_SHOWN]
                if item >= 0
            ],
            "target": _item(catalog, queries.targets[position]),
            "rank": None if answered.ranks[position] == MISS else int(answered.ranks[position]),
        }
        for position in chosen
    ]


def _item(catalog: Catalog, index: int) -> dict[str, Any]:
    title = catalog.titles[index] or catalog.item_ids[index]
    return {"title": title, "categories": ", ".join(catalog.categories[index][:3])}
