"""Writes the results to files: blend.json for the release, metrics.json and metrics.csv for analysis."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv

from components.evaluate_release.data.queries import Queries
from components.evaluate_release.report.notes import notes
from components.evaluate_release.report.results import EvaluationResults
from components.metrics.bootstrap import MIN_USERS


def write_results(results: EvaluationResults, directory: Path) -> None:
    """Write the three files into an existing directory."""
    (directory / "blend.json").write_text(json.dumps(results.blend, indent=2))
    (directory / "metrics.json").write_text(json.dumps(to_json(results), indent=2, ensure_ascii=False))
    pyarrow.csv.write_csv(to_table(results), directory / "metrics.csv")


def to_json(results: EvaluationResults) -> dict[str, Any]:
    """Return metrics.json: all metrics, and how they were measured."""
    return {
        "gate_decision": results.gate_decision.outcome,
        "reason": results.gate_decision.reason,
        "goes_live": results.gate_decision.goes_live,
        "notes": notes(results),
        "protocol": results.protocol,
        "rules": rules(results),
        "seen_items": "keep" if results.keep_seen else "filter",
        "seed": results.seed,
        "learned_until": results.learned_until,
        "counts": results.counts,
        "spans": {"validation": _span(results.validation), "test": _span(results.test)},
        "metrics": results.metrics_by_name,
        "models": {
            model: {name: figure.to_json() for name, figure in metrics.items()}
            for model, metrics in results.metrics.items()
        },
        "p_values_against": results.baseline,
        "slices": [asdict(part) for part in results.slices],
        "fairness": asdict(results.fairness),
        "drift": results.drift.to_json(),
        "forecast": [asdict(step) for step in results.forecast],
    }


def rules(results: EvaluationResults) -> dict[str, str]:
    """Describe in words how the metrics were measured."""
    filtered = "excluded; a target that the user has seen is a miss"
    kept = "may be recommended again, except disliked ones"
    return {
        "targets": "positive interactions",
        "candidates": "all items of the catalog",
        "seen items": kept if results.keep_seen else filtered,
        "ties": "count against the model",
        "steps": "interactions of a user with one timestamp are not predicted from each other",
        "intervals": f"95 %, bootstrap over users; none with fewer than {MIN_USERS} users",
        "p values": "two-sided randomisation test over users",
    }


def to_table(results: EvaluationResults) -> pa.Table:
    """Return metrics.csv: one row per model, metric and k."""
    rows = []
    for model, metrics in results.metrics.items():
        for name, figure in metrics.items():
            metric, k = name.rsplit("_at_", 1)
            rows.append({"model": model, "metric": metric, "k": int(k), **asdict(figure)})
    return pa.Table.from_pylist(rows)


def utc(timestamp: int) -> str:
    """Format µs since the epoch as ISO date and time in UTC, to the second."""
    return datetime.fromtimestamp(timestamp // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _span(queries: Queries) -> dict[str, str]:
    return {"from": utc(int(queries.cutoffs.min())), "until": utc(int(queries.cutoffs.max()))}
