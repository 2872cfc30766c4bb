"""The findings as files: blend.json, metrics.json for programs, metrics.csv for spreadsheets."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv

from components.evaluate_release.data.queries import Queries
from components.evaluate_release.report.findings import Findings


def write(findings: Findings, directory: Path) -> None:
    """Write the evaluation artifact; it stands whole or not at all."""
    with replaced(directory) as beside:
        (beside / "blend.json").write_text(json.dumps(findings.blend, indent=2))
        (beside / "metrics.json").write_text(json.dumps(to_json(findings), indent=2, ensure_ascii=False))
        pyarrow.csv.write_csv(to_table(findings), beside / "metrics.csv")


def to_json(findings: Findings) -> dict[str, Any]:
    """Everything that was measured, and how."""
    return {
        "verdict": findings.verdict.verdict,
        "reason": findings.verdict.reason,
        "protocol": findings.protocol,
        "rules": rules(findings),
        "seen_items": "keep" if findings.keep_seen else "filter",
        "seed": findings.seed,
        "learned_until": findings.learned_until,
        "counts": findings.counts,
        "spans": {"validation": _span(findings.validation), "test": _span(findings.test)},
        "figures": findings.figures_by_name,
        "models": {
            model: {name: figure.to_json() for name, figure in figures.items()}
            for model, figures in findings.figures.items()
        },
        "p_values_against": findings.rival,
        "slices": [asdict(part) for part in findings.slices],
        "drift": findings.drift.to_json(),
    }


def rules(findings: Findings) -> dict[str, str]:
    """How it was measured, in words."""
    filtered = "left out; a target seen before is a miss"
    return {
        "candidates": "every item of the catalog",
        "seen items": "may be answered again" if findings.keep_seen else filtered,
        "ties": "against the model",
        "intervals": "95 %, bootstrap over users",
        "p values": "two-sided randomisation test over users",
    }


def to_table(findings: Findings) -> pa.Table:
    """One row a model, measure and k."""
    rows = []
    for model, figures in findings.figures.items():
        for name, figure in figures.items():
            measure, k = name.rsplit("_at_", 1)
            rows.append({"model": model, "measure": measure, "k": int(k), **asdict(figure)})
    return pa.Table.from_pylist(rows)


@contextmanager
def replaced(directory: Path) -> Iterator[Path]:
    """An empty directory beside `directory`, which takes its place when the block ends without an error."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=f".{directory.name}.") as parent:
        beside = Path(parent) / directory.name
        beside.mkdir()
        yield beside
        shutil.rmtree(directory, ignore_errors=True)
        beside.replace(directory)


def day(timestamp: int) -> str:
    """µs since the epoch -> ISO date and time, UTC, to the second."""
    return datetime.fromtimestamp(timestamp // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _span(queries: Queries) -> dict[str, str]:
    return {"from": day(int(queries.cutoffs.min())), "until": day(int(queries.cutoffs.max()))}
