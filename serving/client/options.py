"""The optional arguments of the client's methods."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

from feature_repo.interaction import Interaction


class RecommendOptions(TypedDict, total=False):
    """Optional arguments of `recommend`."""

    history: Sequence[Interaction | str]  # of this user, oldest first; an item id means a view of the item
    exclude_item_ids: Sequence[str]
    allow_item_ids: Sequence[str]  # when not empty, only these items are returned
    domain: str
    categories: Sequence[str]  # items of at least one of these
    include_seen: bool
    explain: bool
    request_id: str
    scenario: str  # a scenario of the server: "content", "ads", "social", "email", …
    exclude_categories: Sequence[str]  # items of none of these
    followed_user_ids: Sequence[str]  # users that the user follows
    bids: Mapping[str, float]  # item id -> bid, for a scenario that ranks by expected value
    personalized: bool  # False: the answer uses nothing about the user


class SearchOptions(TypedDict, total=False):
    """Optional arguments of `record_search`."""

    timestamp: int  # µs since the epoch; the current time when absent
    domain: str
    interaction_id: str  # the idempotency key; generated when absent


class RecordOptions(SearchOptions, total=False):
    """Optional arguments of `record`."""

    value: float | None  # rating, price or seconds of dwell time
    request_id: str  # of the answer that showed the item
