"""Builds the results of a benchmark: one JSON document, and the tables that show it."""

import json
import statistics
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from components.ingest_interactions.feedback.feedback_options import FeedbackOptions
from feature_repo.atomic_files import write_text_atomically
from pipelines.benchmark.drift import drift_tables, mean_drift
from pipelines.benchmark.plan import Plan
from pipelines.benchmark.published_results import PUBLISHED

# Model -> title, and the steps whose time and memory count for it; those of a refit come on top.
MODELS: Final = {
    "served": ("with reranking", ("filters", "train", "evaluate")),
    "interest": ("interest model alone", ("train",)),
    "transitions": ("transitions", ("filters",)),
    "popularity": ("popularity", ("filters",)),
}
TABLE_METRICS: Final = {"hr_at_10": "HR@10", "ndcg_at_10": "NDCG@10"}
# k of the k-core, treatment of seen items, and whether all interactions are positive, in the publications.
PUBLISHED_RULES: Final = (5, "filter", True)
# Whether all interactions are positive -> what counts.
FEEDBACK_RULES: Final = {
    True: "every interaction counts as positive, and equal times have the order of the source, as in "
    "publications (--all-positive)",
    False: "only positive interactions are targets and votes, as in production (--by-value)",
}


@dataclass(frozen=True)
class StepCost:
    """The time and memory of a step; `seed` is None for a step that runs once for all seeds."""

    step: str
    seed: int | None
    seconds: float
    peak_memory_bytes: int

    @property
    def summary(self) -> str:
        return f"{self.seconds:.1f} s, {gigabytes(self.peak_memory_bytes)}"


def make_results(
    plan: Plan,
    seeds: list[int],
    evaluations: list[dict[str, Any]],
    costs: list[StepCost],
    data: dict[str, int],
    commit: str | None,
) -> dict[str, Any]:
    """Build the document that `--json` writes.

    Args:
        evaluations: one `metrics.json` of evaluate_release per seed, those of one tie order together, and
            under "refitted" the models' figures after the refit.
        data: the numbers of interactions, items and users in the k-core.

    Returns:
        `models` -> `metrics` and `refitted` -> mean, spread (sample standard deviation over the seeds, null
        for one seed) and the values of the seeds; `seconds` is a mean over the seeds, `peak_memory_bytes` the
        maximum.
        `tie_orders`: null, or the number of orders and the spread over them, of the means over the seeds.
    """
    first = evaluations[0]
    all_positive = FeedbackOptions.parse(plan.feedback).all_positive
    rules = (plan.min_interactions, plan.hyperparameters["seen_items"], all_positive)
    published = PUBLISHED.get((plan.dataset, plan.protocol), ()) if rules == PUBLISHED_RULES else ()
    return {
        "benchmark": plan.dataset or plan.interactions_file,
        "protocol": plan.protocol,
        "min_interactions": plan.min_interactions,
        "seen_items": first["seen_items"],
        "all_positive": all_positive,
        "rules": first["rules"],
        "data": data,
        "counts": first["counts"],
        "hyperparameters": plan.hyperparameters,
        "seeds": seeds,
        "commit": commit,
        "models": {model: _model_results(model, evaluations, costs) for model in MODELS},
        "tie_orders": _over_tie_orders(evaluations, len(seeds)),
        "drift": mean_drift(evaluations),
        "steps": [asdict(cost) for cost in costs],
        "published": [asdict(result) for result in published],
    }


def _model_results(model: str, evaluations: list[dict[str, Any]], costs: list[StepCost]) -> dict[str, Any]:
    title, steps = MODELS[model]
    costs = [cost for cost in costs if cost.step in steps]
    runs = Counter(cost.step for cost in costs)
    return {
        "title": title,
        "metrics": _over_seeds([evaluation["models"][model] for evaluation in evaluations]),
        "refitted": _over_seeds([evaluation["refitted"][model] for evaluation in evaluations]),
        "steps": list(steps),
        "seconds": sum(cost.seconds / runs[cost.step] for cost in costs),
        "peak_memory_bytes": max(cost.peak_memory_bytes for cost in costs),
    }


def _over_seeds(figures: list[dict[str, Any]]) -> dict[str, Any]:
    """Return mean, spread and values of each metric."""
    metrics = {}
    for name in figures[0]:
        values = [seed[name]["value"] for seed in figures]
        spread = statistics.stdev(values) if len(values) > 1 else None
        metrics[name] = {"mean": statistics.fmean(values), "spread": spread, "values": values}
    return metrics


def _over_tie_orders(evaluations: list[dict[str, Any]], seeds: int) -> dict[str, Any] | None:
    """Return what `make_results` calls `tie_orders`."""
    by_order = [evaluations[start : start + seeds] for start in range(0, len(evaluations), seeds)]
    if len(by_order) == 1:
        return None
    spreads = {}
    for name in TABLE_METRICS:
        values = [
            statistics.fmean(evaluation["models"]["served"][name]["value"] for evaluation in order)
            for order in by_order
        ]
        mean, spread = statistics.fmean(values), statistics.stdev(values)
        spreads[name] = {"values": values, "mean": mean, "spread": spread}
    return {"orders": len(by_order), **spreads}


def result_tables(results: dict[str, Any]) -> Iterator[Table | str]:
    """Yield the tables of our results, of a refit, published ones, and interest drift, then the protocol."""
    yield _accuracy_table(results)
    yield _refitted_table(results)
    if results["published"]:
        yield _published_table(results)
    titles = {model: entry["title"] for model, entry in results["models"].items()}
    yield from drift_tables(results["drift"], titles)
    yield _protocol_text(results)


def _accuracy_table(results: dict[str, Any]) -> Table:
    table = Table("model", title=results["benchmark"], title_justify="left")
    for heading in (*TABLE_METRICS.values(), "seconds", "peak memory"):
        table.add_column(heading, justify="right")
    for model in results["models"].values():
        figures = (_mean_and_spread(model["metrics"][name]) for name in TABLE_METRICS)
        memory = gigabytes(model["peak_memory_bytes"])
        table.add_row(model["title"], *figures, f"{model['seconds']:.0f}", memory)
    return table


def _refitted_table(results: dict[str, Any]) -> Table:
    table = Table("model", title="Refitted on the validation split too", title_justify="left")
    for heading in TABLE_METRICS.values():
        table.add_column(heading, justify="right")
    for model in results["models"].values():
        table.add_row(model["title"], *(_mean_and_spread(model["refitted"][name]) for name in TABLE_METRICS))
    return table


def _mean_and_spread(metric: dict[str, Any]) -> str:
    spread = "" if metric["spread"] is None else f" ± {metric['spread']:.4f}"
    return f"{metric['mean']:.4f}{spread}"


def _protocol_text(results: dict[str, Any]) -> str:
    data, counts, rules = results["data"], results["counts"], results["rules"]
    minimum, repeated = results["min_interactions"], counts["test_targets_seen_before"]
    lines = [
        f"Data: {data['interactions']:,} interactions of {data['users']:,} users with {data['items']:,} "
        f"items ({f'{minimum}-core' if minimum else 'all interactions'}).",
        f"Protocol: {results['protocol']}; {counts['validation_queries']:,} validation queries, "
        f"{counts['test_queries']:,} test queries. All choices are made on the validation split.",
        f"Feedback: {FEEDBACK_RULES[results['all_positive']]}.",
        f"Candidates: {rules['candidates']}. Ties: {rules['ties']}. Seen items: {rules['seen items']}"
        + (f" ({repeated:,} of the test targets)." if repeated else "."),
        f"Seeds: {', '.join(map(str, results['seeds']))}; mean ± standard deviation.",
        "Refitted: models and filters also learned from the validation split, as a run refits both on all "
        "data before they go live. The blend is the one that was fitted before the refit.",
        "Seconds and memory: of the steps that train the model, without a refit; transitions and popularity "
        "are fitted together with all other collaborative filters.",
        f"Commit: {results['commit'] or 'unknown'}.",
    ]
    if ties := results["tie_orders"]:
        figures = ", ".join(
            f"{heading} {ties[name]['mean']:.4f} ± {ties[name]['spread']:.4f} "
            f"({ties[name]['spread'] / ties[name]['mean']:.1%})"
            for name, heading in TABLE_METRICS.items()
        )
        lines.append(f"Equal times: {ties['orders']} random orders; over them, with reranking, {figures}.")
    if not results["published"]:
        lines.append("There are no published results for this data set and protocol.")
    return "\n".join(lines)


def _published_table(results: dict[str, Any]) -> Table:
    title = "Published results under the same protocol"
    table = Table("model", *TABLE_METRICS.values(), "source", title=title, title_justify="left")
    for entry in results["published"]:
        table.add_row(entry["model"], *(str(entry[name]) for name in TABLE_METRICS), entry["source"])
    return table


def write_json(results: dict[str, Any], file: Path) -> None:
    """Write the results atomically."""
    write_text_atomically(file, json.dumps(results, indent=2, ensure_ascii=False) + "\n")


def gigabytes(size: int) -> str:
    """Format a number of bytes in gigabytes (10⁹ bytes)."""
    return f"{size / 1e9:.2f} GB"
