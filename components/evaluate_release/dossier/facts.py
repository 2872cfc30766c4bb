"""Collects what a version's own evaluation says about it, as JSON-ready values."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.evaluate_release.dossier.lineage import Lineage
from components.evaluate_release.dossier.serving_cost import ServingCost
from components.evaluate_release.drift.data_profile import DataProfile
from components.evaluate_release.metrics.metric_calculator import Figure
from components.evaluate_release.release_gate import NoClicks
from components.evaluate_release.report.notes import notes
from components.evaluate_release.report.results import EvaluationResults
from components.evaluation_files import FORMAT
from components.fairness_policy import NO_LIMITS, FairnessPolicy
from components.metrics.attribute_slices import USER_ATTRIBUTE
from components.metrics.fairness import ExposureBalance
from components.model_names import SERVED

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
    fairness: FairnessPolicy = NO_LIMITS
    pseudonyms: bool | None = None  # whether the data had pseudonyms in place of user ids; None: unknown
    privacy: Mapping[str, Any] = field(default_factory=dict)  # as privacy_of returns it; empty: no bound


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
        "fairness": fairness_of(results, record.fairness),
        "counts": results.counts,
        "figures": {
            model: {name: figure.to_json() for name, figure in figures.items()}
            for model, figures in results.metrics.items()
        },
        "ablation": results.ablation,
        "data": asdict(data),
        "privacy": {"pseudonyms": record.pseudonyms} | dict(record.privacy),
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


def fairness_of(results: EvaluationResults, policy: FairnessPolicy) -> dict[str, Any]:
    """Return the gaps, the exposure of providers, the gate's limits, and the accuracy of each user group.

    Groups with fewer than MIN_USERS users, which have no interval, are left out: they could name a person.
    """
    groups = [
        {
            "attribute": part.dimension.removeprefix(USER_ATTRIBUTE),
            "label": part.label,
            "queries": part.queries,
            "ndcg_at_10": _figure(part.ndcg_at_10, part.low, part.high),
            "hr_at_10": _figure(part.recall_at_10, part.recall_low, part.recall_high),
        }
        for part in results.slices
        if part.dimension.startswith(USER_ATTRIBUTE) and part.low
    ]
    fairness = asdict(results.fairness) | {"policy": asdict(policy), "groups": groups}
    if results.fairness.balance:
        fairness["balance"]["sentence"] = _balance_sentence(results.fairness.balance)
    return fairness


def _balance_sentence(balance: ExposureBalance) -> str:
    change = balance.ndcg_with / balance.ndcg_without - 1 if balance.ndcg_without else 0.0
    interval = "" if balance.low is None else f", difference {balance.low:+.4f} to {balance.high:+.4f}"
    return (
        f"A scenario with balance_exposure moves the exposure gap from {balance.gap_without:.1%} to "
        f"{balance.gap_with:.1%} and NDCG@10 from {balance.ndcg_without:.4f} to {balance.ndcg_with:.4f} "
        f"({change:+.1%}{interval})."
    )


def _figure(values: dict[str, float], low: dict[str, float], high: dict[str, float]) -> dict[str, float]:
    """Return value, low and high of the served ranking; the value alone without an interval."""
    return Figure(values[SERVED], low.get(SERVED), high.get(SERVED)).to_json()


def quarantined(file: Path) -> dict[str, int]:
    """Return reason -> number of rows that were set aside for it; a row may have several reasons."""
    reasons = pc.list_flatten(pq.read_table(file, columns=["reasons"])["reasons"]).to_pylist()
    return dict(Counter(reasons).most_common())


def hyperparameters_of(params: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters of an MLflow run that are not those of the refit."""
    return {name: value for name, value in sorted(params.items()) if not name.startswith("refit/")}
