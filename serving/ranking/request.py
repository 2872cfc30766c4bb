"""A validated recommendation request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from feature_repo.interaction import Interaction
from serving.ranking.scenarios import Scenario

NO_SCENARIO: Final = Scenario()

# The number of items of an answer whose request sets none.
DEFAULT_K: Final = 10


@dataclass(frozen=True, slots=True)
class Request:
    """A request for items for one user; an empty field sets no condition."""

    user_id: str
    k: int
    history: Sequence[Interaction] = ()  # interactions that the client sends, oldest first
    exclude: frozenset[str] = frozenset()
    allow: frozenset[str] = frozenset()  # if not empty, only these items are answered
    domain: str = ""
    categories: frozenset[str] = frozenset()  # at least one of them
    include_seen: bool = False
    explain: bool = False
    scenario: Scenario = NO_SCENARIO
    exclude_categories: frozenset[str] = frozenset()
    followed: Sequence[str] = ()  # user ids, in the order of the request
    bids: Mapping[str, float] = field(default_factory=dict)  # item id -> bid
    request_id: str = ""
    message: bytes = b""  # the request as it was sent; empty if it is long
