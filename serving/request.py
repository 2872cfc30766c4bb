"""What a client asks for, checked."""

from collections.abc import Sequence
from dataclasses import dataclass

from feature_repo.histories import Interaction


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
    request_id: str = ""
