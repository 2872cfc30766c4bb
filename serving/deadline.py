"""How much time an answer has left, and how much of it a stage may take."""

from dataclasses import dataclass
from time import monotonic
from typing import Final

# Of the time that is left above the ranking's reserve, what the stages before it may take.
_HISTORY_SHARE: Final = 0.5
_INTEREST_SHARE: Final = 0.9


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock, in seconds."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        return cls(monotonic() + seconds)

    def remaining_s(self) -> float:
        """Seconds left, 0 when it has passed."""
        return max(0.0, self.at - monotonic())


@dataclass(frozen=True, slots=True)
class Budgets:
    """How long each stage may take at most, in seconds; the client's deadline makes it less."""

    history_s: float = 0.15
    interest_s: float = 0.15
    ranking_s: float = 0.01  # kept back from the stages before

    def for_history(self, deadline: Deadline) -> float:
        """Seconds that reading the history may take now."""
        return min(self.history_s, _HISTORY_SHARE * self._above_reserve(deadline))

    def for_interest(self, deadline: Deadline) -> float:
        """Seconds that the model may take now."""
        return min(self.interest_s, _INTEREST_SHARE * self._above_reserve(deadline))

    def leave_ranking(self, deadline: Deadline) -> bool:
        """Whether the time that is left is enough to rank."""
        return deadline.remaining_s() >= self.ranking_s / 2

    def _above_reserve(self, deadline: Deadline) -> float:
        return max(0.0, deadline.remaining_s() - self.ranking_s)
