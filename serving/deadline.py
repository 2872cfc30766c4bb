"""The deadline of a request, and the budget that each stage gets of the remaining time."""

from dataclasses import dataclass
from time import monotonic
from typing import Final

# A stage's largest share of the remaining time that is not reserved for ranking.
_HISTORY_SHARE: Final = 0.5
_INTEREST_SHARE: Final = 0.9


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point in time on the monotonic clock, in seconds."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        return cls(monotonic() + seconds)

    def remaining_s(self) -> float:
        """Return the seconds left, 0 after the deadline."""
        return max(0.0, self.at - monotonic())


@dataclass(frozen=True, slots=True)
class Budgets:
    """The longest time of each stage, in seconds; an earlier deadline shortens it."""

    history_s: float = 0.15
    interest_s: float = 0.15
    ranking_s: float = 0.01  # reserved: earlier stages may not use it

    def for_history(self, deadline: Deadline) -> float:
        """Return the seconds that reading the history may take now."""
        return min(self.history_s, _HISTORY_SHARE * self._unreserved(deadline))

    def for_interest(self, deadline: Deadline) -> float:
        """Return the seconds that the model server may take now."""
        return min(self.interest_s, _INTEREST_SHARE * self._unreserved(deadline))

    def allow_ranking(self, deadline: Deadline) -> bool:
        """Return whether the remaining time is enough to rank."""
        return deadline.remaining_s() >= self.ranking_s / 2

    def _unreserved(self, deadline: Deadline) -> float:
        return max(0.0, deadline.remaining_s() - self.ranking_s)
