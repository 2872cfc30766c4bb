"""A user's history split by the sign of its interactions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo.event_types import shared
from feature_repo.opinions import OPINION
from serving.ranking.dislikes import Dislikes
from serving.release.arrays import NO_ITEMS, FloatArray, Indexes
from serving.release.ranking_data import Ranking

# Only this many of the newest interactions explain an item, because users doubt a reason that is old.
RECENT: Final = 20

# The preferences [n] and the votes [n] of n interactions: what FeedbackPolicy.preferences_and_votes returns.
Judged = tuple[FloatArray, FloatArray]


@dataclass(frozen=True, eq=False)
class SignedHistory:
    """The interactions that vote for their item [v], oldest first, and what the user dislikes."""

    items: Indexes  # [v]
    timestamps: NDArray[np.int64]  # [v] µs since the epoch
    event_types: list[str]  # of the last RECENT of these
    votes: FloatArray | None  # [v] of FeedbackPolicy.preferences_and_votes; None where each is 1
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
        length: int,
        disliked_before: Indexes = NO_ITEMS,
        judged: Judged | None = None,
    ) -> "SignedHistory":
        """Apply the release's feedback policy.

        Args:
            items: [n] indexes, oldest first, -1 for an item that the release does not contain; such an
                interaction is left out, but its rating counts in the user's mean.
            timestamps: [n] µs since the epoch.
            event_types: [n]
            values: [n] NaN for none.
            length: of the history, the newest of these; older interactions only say what is disliked.
            disliked_before: [m] indexes of items that the user disliked before all these interactions.
            judged: of the interactions; None to apply the policy to them.
        """
        known = items >= 0
        preferences, votes = judged or ranking.feedback.preferences_and_votes(
            item_codes(items, len(ranking.catalog)), event_types, values, timestamps
        )
        disliked = items[known & (preferences <= -OPINION)]
        if len(disliked_before):
            states_opinion = ranking.feedback.states_opinion(event_types, values)
            still = np.setdiff1d(disliked_before, items[states_opinion])
            disliked = np.concatenate([disliked, still])
            is_still_disliked = np.isin(items, still)
            votes[is_still_disliked] = preferences[is_still_disliked] = 0
        inside = np.flatnonzero(known[len(items) - length :]) + len(items) - length
        items_inside, types_inside = items[inside], [event_types[position] for position in inside.tolist()]
        chosen = inside[votes[inside] > 0]
        return cls(
            items=items[chosen],
            timestamps=timestamps[chosen],
            event_types=[shared(event_types[position]) for position in chosen[-RECENT:].tolist()],
            votes=None if (votes[chosen] == 1).all() else votes[chosen],
            disliked=disliked,
            dislikes=Dislikes.of(ranking, items_inside, types_inside, preferences[inside]),
        )


def item_codes(items: Indexes, item_count: int) -> Indexes:
    """Return [n] a code for each item: no two interactions with unknown items, -1, are with the same one."""
    known = items >= 0
    return (
        items if known.all() else np.where(known, items, item_count + np.arange(len(items), dtype=np.int32))
    )
