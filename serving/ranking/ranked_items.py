"""Ranked items, and their presentation with titles, sources and reasons."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serving.answers import Recommendation, Rule
from serving.ranking.blend_features import FEATURES
from serving.ranking.candidate_set import SOURCES, Candidates, SourceBits
from serving.ranking.explanations import Reason
from serving.ranking.selection import ScoredSelection
from serving.release.arrays import FloatArray, Indexes
from serving.release.catalog import Catalog


@dataclass(frozen=True, eq=False)
class RankedItems:
    """The items of an answer, best first."""

    items: Indexes  # [k]
    sources: NDArray[SourceBits]  # [k] source bits
    scores: FloatArray  # [k]
    contributions: FloatArray  # [k, features] what each feature adds; a row sums to its item's score
    contributions_over_mean: FloatArray  # [k, features] contributions minus the mean over interactions
    reordered_by: list[Rule | None]  # [k] the scenario's key that set the position; None for the score
    over_quota: Indexes  # items left out because a category of theirs has no slot left
    displaced: Indexes  # items left out because they are like what the user dislikes, best first
    probabilities: NDArray[np.float64] | None = None  # [k] of a click; None for the objective "score"
    propensities: NDArray[np.float64] | None = None  # [k] as in ScoredSelection
    sentences: Sequence[str] = ()  # [k] reasons of a cold start; empty if the history gives the reasons

    @classmethod
    def of(
        cls,
        candidates: Candidates,
        selection: ScoredSelection,
        contributions: FloatArray,
        contributions_over_mean: FloatArray,
        sentences: Sequence[str] = (),
    ) -> "RankedItems":
        """Build from the selected candidates and their rows [k, …] of the other arguments."""
        items = candidates.items[selection.positions]
        return cls(
            items=items,
            sources=candidates.sources_of(items),
            scores=selection.values,
            contributions=contributions,
            contributions_over_mean=contributions_over_mean,
            reordered_by=selection.reordered_by,
            over_quota=selection.over_quota,
            displaced=selection.displaced,
            probabilities=selection.probabilities,
            propensities=selection.propensities,
            sentences=sentences,
        )

    def present(
        self, catalog: Catalog, reasons: Sequence[Reason], with_explanation: bool
    ) -> list[Recommendation]:
        """Return the recommendations; contributions and `reordered_by` only with an explanation.

        Args:
            reasons: [k]
        """
        rows = zip(self.items.tolist(), self.sources.tolist(), self.scores.tolist(), reasons, strict=True)
        return [
            Recommendation(
                item_id=catalog.item_ids[item],
                title=catalog.titles[item],
                categories=catalog.categories[item],
                score=score,
                sources=_SOURCE_NAMES[sources],
                reason=reason.sentence,
                contributions=self._contributions(position) if with_explanation else {},
                because_item_ids=[catalog.item_ids[past] for past in reason.because],
                reordered_by=self.reordered_by[position] if with_explanation else None,
                click_probability=self._probability(position),
            )
            for position, (item, sources, score, reason) in enumerate(rows)
        ]

    def _contributions(self, position: int) -> dict[str, float]:
        return dict(zip(FEATURES, self.contributions[position].tolist(), strict=True))

    def _probability(self, position: int) -> float | None:
        return None if self.probabilities is None else float(self.probabilities[position])


# Source bits -> names of the sources.
_SOURCE_NAMES = [
    [source for bit, source in enumerate(SOURCES) if bits & (1 << bit)] for bits in range(1 << len(SOURCES))
]
