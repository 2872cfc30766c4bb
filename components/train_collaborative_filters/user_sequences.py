"""The users' sequences for sequence-aware nearest neighbours (see serving.release.user_sequences)."""

from components.train_collaborative_filters.interactions import Interactions
from serving.release.user_sequences import UserSequences

# Interactions per user; more are of a bot, or too old to show the user's present interest.
MAX_LENGTH = 1_000


def user_sequences(interactions: Interactions, max_users: int, half_life: int) -> UserSequences:
    """Return sequences of the `max_users` most recently active users.

    Args:
        half_life: in µs; a choice this far away in time has half the weight.
    """
    recent = interactions.of_newest_users(max_users).newest(MAX_LENGTH)
    return UserSequences.of(recent.users, recent.items, recent.timestamps, recent.item_count, half_life)
