"""What the service knows of a user at this moment."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from feature_repo.histories import History
from feature_repo.interaction import Interaction
from feature_repo.interest_state import InterestState
from serving.answers import Degradation


@dataclass(frozen=True, slots=True)
class UserHistory:
    """What the service knows of a user; `as_of` (µs) is 0 when there is no snapshot."""

    history: History
    profile: dict[str, str | float] = field(default_factory=dict)
    as_of: int = 0
    interest_state: InterestState | None = None  # after the snapshot's history
    new: list[Interaction] = field(default_factory=list)  # in the history, not in the snapshot's, in order
    seen_before: Sequence[str] = ()  # items chosen before those of the history
    degraded: tuple[Degradation, ...] = ()
    # Version of a release -> what it knows of all this, the last one's only.
    known: dict[int, Any] = field(default_factory=dict, compare=False, repr=False)
