"""Whom sequence-aware neighbours are looked for among: serving.release.user_sequences says how."""

from components.train_collaborative_filters.interactions import Interactions
from serving.release.user_sequences import UserSequences

# Of one user; more belong to a machine, or to so long ago that they speak for another taste.
MAX_LENGTH = 1_000


def user_sequences(interactions: Interactions, max_users: int, pace: int) -> UserSequences:
    """Of more than `max_users` users those seen last; a choice `pace` (µs) away in time counts half."""
    known = interactions.of_newest_users(max_users).newest(MAX_LENGTH)
    return UserSequences.of(known.users, known.items, known.timestamps, known.item_count, pace)
