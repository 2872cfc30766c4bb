"""All results of an evaluation."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from components.evaluate_release.data.queries import Queries
from components.evaluate_release.drift.drift_metrics import DriftResults
from components.evaluate_release.metrics.forecast_accuracy import ForecastStep
from components.evaluate_release.metrics.metric_calculator import HEADLINE, Figure
from components.evaluate_release.metrics.slices import Slice
from components.evaluate_release.models.live_version import LiveVersion
from components.evaluate_release.release_gate import GateDecision, NoClicks
from components.metrics.accuracy import MISS
from components.metrics.attribute_slices import Masks
from components.metrics.fairness import Fairness
from components.metrics.ranked_queries import RankedQueries
from components.model_names import SERVED
from serving.release.catalog import Catalog

if TYPE_CHECKING:
    from components.evaluate_online.candidate_estimates import CandidateEvaluation

DRIFT: Final = "drift_interactions_to_follow"


@dataclass(frozen=True)
class EvaluationResults:
    """`models` and `metrics` are keyed by the model's name, the served ranking first."""

    protocol: str
    seed: int
    learned_until: int  # µs, the newest interaction in the snapshot
    catalog: Catalog
    validation: Queries
    test: Queries
    models: dict[str, RankedQueries]
    metrics: dict[str, dict[str, Figure]]
    baseline: str  # the model that p values compare with
    slices: list[Slice]
    slice_masks: dict[str, Masks]  # dimension -> label -> [test queries]
    fairness: Fairness
    drift: DriftResults
    forecast: list[ForecastStep]
    blend: dict[str, Any]
    ablation: dict[str, Any]  # of the blend's features, on validation queries; as ablate returns
    keep_seen: bool
    live: LiveVersion | None
    clicks: "CandidateEvaluation | NoClicks | None"
    gate_decision: GateDecision

    @cached_property
    def counts(self) -> dict[str, int]:
        """The size of each part, and the number of targets that could not be hit."""
        repeated = self.test.repeated()
        missed = self.models[SERVED].ranks == MISS
        return {
            "items": len(self.catalog),
            "validation_queries": len(self.validation),
            "validation_users": len(set(self.validation.user_ids)),
            "validation_queries_before_sampling": self.validation.sampled_from,
            "test_queries": len(self.test),
            "test_users": len(set(self.test.user_ids)),
            "test_queries_before_sampling": self.test.sampled_from,
            "test_queries_without_history": int(np.count_nonzero(self.test.lengths() == 0)),
            "test_targets_seen_before": int(np.count_nonzero(repeated)),
            "test_targets_no_candidate": int(np.count_nonzero(missed & ~repeated)),
        }

    @property
    def metrics_by_name(self) -> dict[str, float]:
        """All metrics in one dict: `ndcg_at_10` of the served ranking, `popularity_ndcg_at_10` of another.

        A later run compares itself with the bounds `ndcg_at_10_low` and `ndcg_at_10_high`.
        """
        values = {
            (model, name): figure.value
            for model, metrics in self.metrics.items()
            for name, figure in metrics.items()
        }
        headline = self.metrics[SERVED][HEADLINE]
        bounds = {"low": headline.low, "high": headline.high}
        values |= {
            (SERVED, f"{HEADLINE}_{name}"): value for name, value in bounds.items() if value is not None
        }
        drift = {(model, DRIFT): value for model, value in self.drift.interactions_to_follow.items()}
        named = (values | drift).items()
        return {name if model == SERVED else f"{model}_{name}": value for (model, name), value in named}
