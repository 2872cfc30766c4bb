"""Collects what a version's own evaluation says about it, as JSON-ready values."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.evaluate_release.dossier.dossier_files import FORMAT
from components.evaluate_release.dossier.lineage import Lineage
from components.evaluate_release.dossier.serving_cost import ServingCost
from components.evaluate_release.drift.data_profile import DataProfile
from components.evaluate_release.release_gate import NoClicks
from components.evaluate_release.report.notes import notes
from components.evaluate_release.report.results import EvaluationResults

if TYPE_CHECKING:
    from components.evaluate_online.candidate_estimates import CandidateEvaluation
    from components.evaluate_online.explored_answers import ExploredAnswers


@dataclass(frozen=True)
class RunRecord:
    """What the pipeline knows about a run, apart from the evaluation's own inputs."""

    policy: str
    pipeline_run: str = ""
    image: str = ""
    validation: Mapping[str, float] = field(default_factory=dict)  # row counts by name; empty: unknown
    quarantine: Path | None = None  # rows that failed, with their `reasons`
    explored: "ExploredAnswers | None" = None  # None: clicks are not looked at


def facts(
    results: EvaluationResults,
    record: RunRecord,
    trained_until: str,
    data: DataProfile,
    hyperparameters: Mapping[str, str],
    origin: Lineage,
    cost: ServingCost,
) -> dict[str, Any]:
    """Return facts.json of a version; `trained_until`: before its refit, UTC."""
    return {
        "format": FORMAT,
        "gate": asdict(results.gate_decision) | {"policy": record.policy},
        "notes": notes(results),
        "protocol": results.protocol,
        "seed": results.seed,
        "learned_until": results.learned_until,
        "trained_until": trained_until,
        "baseline": results.baseline,
        "clicks": clicks_of(results.clicks),
        "counts": results.counts,
        "figures": {
            model: {name: figure.to_json() for name, figure in figures.items()}
            for model, figures in results.metrics.items()
        },
        "data": asdict(data),
        "validation": dict(record.validation),
        "quarantine": quarantined(record.quarantine) if record.quarantine else {},
        "hyperparameters": dict(hyperparameters),
        "lineage": asdict(origin),
        "serving": asdict(cost),
    }


def clicks_of(clicks: "CandidateEvaluation | NoClicks | None") -> dict[str, Any]:
    """Return the off-policy estimates, {"refused": reason} without any, {} if clicks were not looked at."""
    if isinstance(clicks, NoClicks):
        return {"refused": clicks.reason}
    return asdict(clicks) if clicks else {}


def quarantined(file: Path) -> dict[str, int]:
    """Return reason -> number of rows that were set aside for it; a row may have several reasons."""
    reasons = pc.list_flatten(pq.read_table(file, columns=["reasons"])["reasons"]).to_pylist()
    return dict(Counter(reasons).most_common())


def hyperparameters_of(params: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters of an MLflow run that are not those of the refit."""
    return {name: value for name, value in sorted(params.items()) if not name.startswith("refit/")}
