"""How much time an answer has left, and how much of it a stage may take."""

from dataclasses import dataclass
from time import monotonic


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

    def allot_s(self, budget_s: float, share: float, reserve_s: float) -> float:
        """Seconds for a stage: its budget, or its share of what is left above the reserve."""
        return max(0.0, min(budget_s, share * (self.remaining_s() - reserve_s)))
