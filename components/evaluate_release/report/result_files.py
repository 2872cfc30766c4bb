"""The results as files: blend.json, metrics.json for programs, metrics.csv for spreadsheets."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv

from components.evaluate_release.data.queries import Queries
from components.evaluate_release.report.results import EvaluationResults
from feature_repo.atomic_files import atomic_directory


def write(results: EvaluationResults, directory: Path) -> None:
    """Write the evaluation artifact; it stands whole or not at all."""
    with atomic_directory(directory) as staged:
        (staged / "blend.json").write_text(json.dumps(results.blend, indent=2))
        (staged / "metrics.json").write_text(json.dumps(to_json(results), indent=2, ensure_ascii=False))
        pyarrow.csv.write_csv(to_table(results), staged / "metrics.csv")


def to_json(results: EvaluationResults) -> dict[str, Any]:
    """Everything that was measured, and how."""
    return {
        "verdict": results.verdict.verdict,
        "reason": results.verdict.reason,
        "protocol": results.protocol,
        "rules": rules(results),
        "seen_items": "keep" if results.keep_seen else "filter",
        "seed": results.seed,
        "learned_until": results.learned_until,
        "counts": results.counts,
        "spans": {"validation": _span(results.validation), "test": _span(results.test)},
        "figures": results.figures_by_name,
        "models": {
            model: {name: figure.to_json() for name, figure in figures.items()}
            for model, figures in results.figures.items()
        },
        "p_values_against": results.rival,
        "slices": [asdict(part) for part in results.slices],
        "drift": results.drift.to_json(),
    }


def rules(results: EvaluationResults) -> dict[str, str]:
    """How it was measured, in words."""
    filtered = "left out; a target seen before is a miss"
    return {
        "candidates": "every item of the catalog",
        "seen items": "may be answered again" if results.keep_seen else filtered,
        "ties": "against the model",
        "intervals": "95 %, bootstrap over users",
        "p values": "two-sided randomisation test over users",
    }


def to_table(results: EvaluationResults) -> pa.Table:
    """One row a model, measure and k."""
    rows = []
    for model, figures in results.figures.items():
        for name, figure in figures.items():
            measure, k = name.rsplit("_at_", 1)
            rows.append({"model": model, "measure": measure, "k": int(k), **asdict(figure)})
    return pa.Table.from_pylist(rows)


def day(timestamp: int) -> str:
    """µs since the epoch -> ISO date and time, UTC, to the second."""
    return datetime.fromtimestamp(timestamp // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _span(queries: Queries) -> dict[str, str]:
    return {"from": day(int(queries.cutoffs.min())), "until": day(int(queries.cutoffs.max()))}
