"""What a benchmark found: one document, and the tables that show it."""

import json
import statistics
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from feature_repo.atomic_files import write_text_atomically
from pipelines.benchmark.drift import drift_tables, mean_drift
from pipelines.benchmark.published_results import PUBLISHED
from pipelines.benchmark.steps import Plan

# Model -> how it is called, and the steps that make it.
MODELS: Final = {
    "served": ("with reranking", ("filters", "train", "evaluate")),
    "interest": ("interest model alone", ("train",)),
    "transitions": ("transitions", ("filters",)),
    "popularity": ("popularity", ("filters",)),
}
SHOWN: Final = {"hr_at_10": "HR@10", "ndcg_at_10": "NDCG@10"}
# What the published figures were measured under.
PUBLISHED_PROTOCOL: Final = ("leave-one-out", 5, "filter")


@dataclass(frozen=True)
class StepCost:
    """What a step took, in a process of its own; `seed` is None where the step has none."""

    step: str
    seed: int | None
    seconds: float
    peak_memory_bytes: int

    @property
    def told(self) -> str:
        return f"{self.seconds:.1f} s, {gigabytes(self.peak_memory_bytes)}"


def results(
    plan: Plan,
    seeds: list[int],
    evaluations: list[dict[str, Any]],
    costs: list[StepCost],
    data: dict[str, int],
    commit: str | None,
) -> dict[str, Any]:
    """The document that `--json` writes.

    Args:
        evaluations: a seed's `metrics.json`, as evaluate_release wrote it, in the order of `seeds`.
        data: interactions, items and users of the k-core.

    Returns:
        `models` -> `metrics` -> mean, spread (sample standard deviation over the seeds, null for one seed)
        and the value of each seed; `seconds`: mean over the seeds; `peak_memory_bytes`: the largest.
    """
    first = evaluations[0]
    settings = (plan.protocol, plan.min_interactions, plan.hyperparameters["seen_items"])
    comparable = settings == PUBLISHED_PROTOCOL
    return {
        "benchmark": plan.dataset or plan.interactions_file,
        "protocol": plan.protocol,
        "min_interactions": plan.min_interactions,
        "seen_items": first["seen_items"],
        "rules": first["rules"],
        "data": data,
        "counts": first["counts"],
        "hyperparameters": plan.hyperparameters,
        "seeds": seeds,
        "commit": commit,
        "models": {model: _model(model, evaluations, costs, len(seeds)) for model in MODELS},
        "drift": mean_drift(evaluations),
        "steps": [asdict(cost) for cost in costs],
        "published": [asdict(entry) for entry in PUBLISHED.get(plan.dataset, ()) if comparable],
    }


def _model(
    model: str, evaluations: list[dict[str, Any]], costs: list[StepCost], seeds: int
) -> dict[str, Any]:
    title, steps = MODELS[model]
    metrics = {}
    for name in evaluations[0]["models"][model]:
        values = [evaluation["models"][model][name]["value"] for evaluation in evaluations]
        spread = statistics.stdev(values) if len(values) > 1 else None
        metrics[name] = {"mean": statistics.fmean(values), "spread": spread, "values": values}
    own = [cost for cost in costs if cost.step in steps]
    # A step without a seed serves every seed.
    seconds = sum(cost.seconds if cost.seed is None else cost.seconds / seeds for cost in own)
    peak = max(cost.peak_memory_bytes for cost in own)
    return {
        "title": title,
        "metrics": metrics,
        "steps": list(steps),
        "seconds": seconds,
        "peak_memory_bytes": peak,
    }


def shown(document: dict[str, Any]) -> Iterator[Table | str]:
    """Our figures, the published ones where they were measured alike, drift, and how ours were measured."""
    yield _ours(document)
    if document["published"]:
        yield _published(document)
    titles = {model: found["title"] for model, found in document["models"].items()}
    yield from drift_tables(document["drift"], titles)
    yield _protocol(document)


def _ours(document: dict[str, Any]) -> Table:
    table = Table("model", title=document["benchmark"], title_justify="left")
    for heading in (*SHOWN.values(), "seconds", "peak memory"):
        table.add_column(heading, justify="right")
    for model in document["models"].values():
        figures = (_figure(model["metrics"][name]) for name in SHOWN)
        table.add_row(
            model["title"], *figures, f"{model['seconds']:.0f}", gigabytes(model["peak_memory_bytes"])
        )
    return table


def _figure(figure: dict[str, Any]) -> str:
    spread = "" if figure["spread"] is None else f" ± {figure['spread']:.4f}"
    return f"{figure['mean']:.4f}{spread}"


def _protocol(document: dict[str, Any]) -> str:
    data, counts, rules = document["data"], document["counts"], document["rules"]
    repeated = counts["test_targets_seen_before"]
    misses = f" ({repeated:,} of the test targets)" if repeated else ""
    published = "" if document["published"] else "no published figure of this protocol is known here\n"
    core = f"{document['min_interactions']}-core" if document["min_interactions"] else "everything"
    return (
        f"{core}: {data['interactions']:,} interactions of "
        f"{data['users']:,} users with {data['items']:,} items\n"
        f"protocol {document['protocol']}: {counts['validation_queries']:,} validation and "
        f"{counts['test_queries']:,} test queries; chosen on validation alone, test read once\n"
        f"ranked: {rules['candidates']}; ties: {rules['ties']}; seen items: {rules['seen items']}{misses}\n"
        f"seeds {', '.join(map(str, document['seeds']))}: mean ± standard deviation; seconds and memory "
        "of the steps that make a model (every filter at once for the two last)\n"
        f"{published}commit {document['commit'] or 'unknown'}"
    )


def _published(document: dict[str, Any]) -> Table:
    table = Table(
        "model", *SHOWN.values(), "source", title="Published under this protocol", title_justify="left"
    )
    for entry in document["published"]:
        table.add_row(entry["model"], *(str(entry[name]) for name in SHOWN), entry["source"])
    return table


def write_json(document: dict[str, Any], file: Path) -> None:
    """Write the document; the file stands whole or not at all."""
    write_text_atomically(file, json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def gigabytes(size: int) -> str:
    return f"{size / 1e9:.2f} GB"
