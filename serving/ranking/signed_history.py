"""A user's history split by the sign of its interactions."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feature_repo.opinions import OPINION
from serving.ranking.dislikes import Dislikes
from serving.ranking.influences import RECENT
from serving.release.arrays import FloatArray, Indexes
from serving.release.ranking_data import Ranking


@dataclass(frozen=True, eq=False)
class SignedHistory:
    """The interactions that vote for their item [v], oldest first, and what the user dislikes."""

    items: Indexes  # [v]
    timestamps: NDArray[np.int64]  # [v] µs since the epoch
    event_types: list[str]  # of the last RECENT of these
    weights: FloatArray | None  # [v] of FeedbackPolicy.votes; None where each is 1
    disliked: Indexes  # [d] the user's last opinion about these items is a dislike
    dislikes: Dislikes | None  # None without a recent dislike

    @classmethod
    def of(
        cls,
        ranking: Ranking,
        items: Indexes,
        timestamps: NDArray[np.int64],
        event_types: Sequence[str],
        values: Sequence[float],
    ) -> "SignedHistory":
        """Apply the release's feedback policy.

        Args:
            items: [h] indexes, oldest first, -1 for an item that the release does not contain; such an
                interaction is left out, but its rating counts in the user's mean.
            timestamps: [h] µs since the epoch.
            event_types: [h]
            values: [h] NaN for none.
        """
        codes, known = items, np.flatnonzero(items >= 0)
        if len(known) < len(items):  # no two interactions with unknown items are with the same one
            codes = np.where(items >= 0, items, len(ranking.catalog) + np.arange(len(items), dtype=np.int32))
        preferences, votes = ranking.feedback.preferences_and_votes(codes, event_types, values, timestamps)
        if len(known) < len(items):
            items, timestamps = items[known], timestamps[known]
            preferences, votes = preferences[known], votes[known]
            event_types = [event_types[position] for position in known.tolist()]
        chosen = np.flatnonzero(votes)
        weights = votes[chosen]
        return cls(
            items=items[chosen],
            timestamps=timestamps[chosen],
            # Interned, because most event types of all users are equal.
            event_types=[sys.intern(event_types[position]) for position in chosen[-RECENT:].tolist()],
            weights=None if (weights == 1).all() else weights,
            disliked=items[preferences <= -OPINION],
            dislikes=Dislikes.of(ranking, items, event_types, preferences),
        )
