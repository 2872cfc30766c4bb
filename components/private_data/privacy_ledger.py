"""What private data sets of a home have revealed about its users: privacy_ledger.json in the home."""

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from components.errors import StepError
from components.private_data.gaussian_privacy import composed, epsilon_of, mu_of
from feature_repo.atomic_files import write_text_atomically

FILE: Final = "privacy_ledger.json"


@dataclass(frozen=True)
class Spending:
    """One data set that was made: its place, when, and its μ."""

    at: str
    place: str
    mu: float


@dataclass(frozen=True)
class PrivacyLedger:
    """All spendings count for every user, whether the user was there each time or not."""

    spendings: list[Spending] = field(default_factory=list)

    @classmethod
    def read(cls, home: Path) -> Self:
        """Read the ledger of a home; an empty one where nothing was spent."""
        file = home / FILE
        if not file.exists():
            return cls()
        try:
            return cls([Spending(**each) for each in json.loads(file.read_bytes())["spendings"]])
        except (ValueError, KeyError, TypeError) as error:
            raise StepError(f"{file}: expected the ledger of `penchant data private` ({error!r})") from error

    def epsilon(self, delta: float) -> float:
        """Return the ε of all spendings together."""
        return epsilon_of(composed(each.mu for each in self.spendings), delta)

    def spend(self, place: str, epsilon: float, delta: float, budget: float) -> "PrivacyLedger":
        """Return the ledger with one more spending.

        Raises:
            StepError: all together would be above the budget.
        """
        spending = Spending(datetime.now(UTC).isoformat(timespec="seconds"), place, mu_of(epsilon, delta))
        ledger = PrivacyLedger([*self.spendings, spending])
        if ledger.epsilon(delta) > budget * (1 + 1e-6):
            raise StepError(
                f"epsilon {epsilon:g} more would make {ledger.epsilon(delta):.2f} with what is spent "
                f"({self.epsilon(delta):.2f} at delta {delta:g}); the budget PENCHANT_PRIVACY_BUDGET is "
                f"{budget:g}: train on a data set that was made before"
            )
        return ledger

    def write(self, home: Path) -> None:
        content = {"spendings": [asdict(each) for each in self.spendings]}
        write_text_atomically(home / FILE, json.dumps(content, indent=2) + "\n")
