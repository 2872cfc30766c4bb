"""What a client asks for, checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from feature_repo.interaction import Interaction
from serving.ranking.scenarios import Scenario

NO_SCENARIO: Final = Scenario()


@dataclass(frozen=True, slots=True)
class Request:
    """Items for one user; what is empty asks for nothing special."""

    user_id: str
    k: int
    history: Sequence[Interaction] = ()  # what the client knows of the user, oldest first
    exclude: frozenset[str] = frozenset()
    allow: frozenset[str] = frozenset()  # when given, nothing else is answered
    domain: str = ""
    categories: frozenset[str] = frozenset()  # any of them
    include_seen: bool = False
    explain: bool = False
    scenario: Scenario = NO_SCENARIO
    exclude_categories: frozenset[str] = frozenset()
    followed: Sequence[str] = ()  # user ids, in the order of the request
    bids: Mapping[str, float] = field(default_factory=dict)  # item id -> bid
    request_id: str = ""
