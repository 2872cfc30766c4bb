"""Tells a user what an answer has less of because of dislikes."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from serving.answers import DislikeEffect
from serving.ranking.dislikes import Dislikes
from serving.release.catalog import Catalog

# The most effects that an answer names, and the most disliked items in a reason.
MAX_EFFECTS: Final = 3
MAX_NAMED: Final = 2

# Event type -> verb; all other negative event types use "disliked".
_VERBS: Final = {
    "block": "blocked",
    "hide": "hid",
    "report": "reported",
    "skip": "skipped",
    "unsubscribe": "unsubscribed from",
}


def dislike_effects(dislikes: Dislikes, displaced: Sequence[int], catalog: Catalog) -> list[DislikeEffect]:
    """Return at most MAX_EFFECTS effects, that on most items first.

    Args:
        displaced: items that the answer would contain without the dislikes, best first.
    """
    causes: Counter[tuple[str, tuple[int, ...]]] = Counter()
    for item in displaced:
        category, positions = dislikes.cause(item)
        causes[category, tuple(positions if category else positions[:1])] += 1
    return [
        _effect(dislikes, category, positions, catalog)
        for (category, positions), _ in causes.most_common(MAX_EFFECTS)
    ]


def _effect(dislikes: Dislikes, category: str, positions: tuple[int, ...], catalog: Catalog) -> DislikeEffect:
    past = [int(dislikes.items[position]) for position in positions]
    titles = [catalog.titles[item] or catalog.item_ids[item] for item in past]
    verb = _VERBS.get(dislikes.event_types[positions[0]], "disliked")
    if category:
        reason = f"less {category}: you {verb} {_enumerate(titles)}"
    else:
        reason = f"fewer items like {titles[0]}, which you {verb}"
    return DislikeEffect(reason, category, [catalog.item_ids[item] for item in past])


def _enumerate(titles: Sequence[str]) -> str:
    """Return "A", "A and B" or "A, B and 3 more"."""
    named, more = list(titles[:MAX_NAMED]), len(titles) - MAX_NAMED
    if more > 0:
        return f"{', '.join(named)} and {more} more"
    return " and ".join(named)
