"""Applies a feedback policy to many histories at once, with the numbers that each gets alone."""

from collections.abc import Sequence

import numpy as np

from feature_repo.feedback import FeedbackPolicy
from feature_repo.histories import History
from serving.ranking.signed_history import Judged, item_codes
from serving.release.arrays import Indexes


def judge(
    histories: Sequence[History], items: Sequence[Indexes], item_count: int, feedback: FeedbackPolicy
) -> list[Judged]:
    """Return the preferences and the votes of each history, as FeedbackPolicy.preferences_and_votes does.

    Args:
        items: the item indexes of each history, -1 for an item that is not in the catalog.
        item_count: of the catalog.
    """
    offsets = np.cumsum([0, *map(len, histories)])
    preferences, votes = feedback.preferences_and_votes(
        np.concatenate([item_codes(own, item_count) for own in items]),
        [event_type for history in histories for event_type in history.event_types],
        np.concatenate([np.asarray(history.values, np.float32) for history in histories]),
        np.concatenate([np.asarray(history.timestamps, np.int64) for history in histories]),
        offsets,
    )
    parts = (np.split(values, offsets[1:-1]) for values in (preferences, votes))
    return list(zip(*parts, strict=True))
