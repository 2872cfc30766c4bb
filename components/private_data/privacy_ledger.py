"""What private data sets have revealed about the users of a warehouse: privacy_ledger/ beside its manifest.

Each data set is a file of its own, so that no home that shares the warehouse can overwrite the account of
another one. It is written before it is checked: of two commands at the same time, the later check sees both.
"""

import json
import math
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from components.errors import StepError
from components.private_data.gaussian_privacy import composed, epsilon_of, mu_of
from feature_repo.atomic_files import atomic_upload
from feature_repo.filesystems import locate

FOLDER: Final = "privacy_ledger"


@dataclass(frozen=True)
class Spending:
    """One data set that was made.

    Attributes:
        at: when, UTC.
        place: its folder.
        mu: what it reveals of each user, μ-Gaussian differentially private.
        accuracy: a measured_accuracy.Accuracy; None before it is measured, or if noise hides it.
    """

    at: str
    place: str
    mu: float
    accuracy: dict[str, float] | None = None


class PrivacyLedger:
    """All spendings count for every user, whether the user was there each time or not."""

    def __init__(self, warehouse: str) -> None:
        """`warehouse` is a directory or an fsspec URL."""
        self._filesystem, root = locate(warehouse)
        self._root: Final = f"{root}/{FOLDER}"

    def spendings(self) -> list[Spending]:
        """Return all spendings, in no order.

        Raises:
            StepError: a file is damaged.
        """
        self._filesystem.invalidate_cache()
        try:
            paths = self._filesystem.ls(self._root, detail=False)
        except FileNotFoundError:
            return []
        found = []
        for path in paths:
            if path.endswith(".json"):
                with suppress(FileNotFoundError):  # one that was refused meanwhile
                    found.append(self._read(path))
        return found

    def epsilon(self, delta: float) -> float:
        """Return the ε of all spendings together."""
        return epsilon_of(composed(each.mu for each in self.spendings()), delta)

    def check(self, epsilon: float, delta: float, budget: float) -> None:
        """Check one more spending.

        Raises:
            ValueError: ε is out of range.
            StepError: all together would be above the budget.
        """
        mu = mu_of(epsilon, delta)
        spent = [each.mu for each in self.spendings()]
        together = epsilon_of(composed([*spent, mu]), delta)
        if together > budget * (1 + 1e-6):
            raise StepError(
                f"epsilon {epsilon:g} more would make {together:.2f} with what is spent "
                f"({epsilon_of(composed(spent), delta):.2f} at delta {delta:g}) of this warehouse's users; "
                f"the budget PENCHANT_PRIVACY_BUDGET is {budget:g}: train on a data set that was made before"
            )

    def spend(self, place: str, epsilon: float, delta: float, budget: float) -> str:
        """Add a spending, and return its name; raises as `check` does, and adds none then."""
        self.check(epsilon, delta, budget)
        name = uuid.uuid4().hex
        at = datetime.now(UTC).isoformat(timespec="seconds")
        self._write(name, Spending(at, place, mu_of(epsilon, delta)))
        together = self.epsilon(delta)
        if together > budget * (1 + 1e-6):
            self._filesystem.rm_file(self._path(name))
            raise StepError(
                f"another private data set was drawn from this warehouse meanwhile: epsilon {epsilon:g} more "
                f"would make {together:.2f}; the budget PENCHANT_PRIVACY_BUDGET is {budget:g}"
            )
        return name

    def add_accuracy(self, name: str, accuracy: dict[str, float]) -> None:
        """Keep what was measured on the data set of a spending."""
        self._write(name, replace(self._read(self._path(name)), accuracy=accuracy))

    def curve(self, delta: float) -> list[dict[str, Any]]:
        """Return ε and the measured accuracy of each data set, by ascending ε."""
        measured = [each for each in self.spendings() if each.accuracy]
        return [
            {"at": each.at, "epsilon": epsilon_of(each.mu, delta), **(each.accuracy or {})}
            for each in sorted(measured, key=lambda each: (each.mu, each.at))
        ]

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}.json"

    def _write(self, name: str, spending: Spending) -> None:
        with atomic_upload(self._filesystem, self._path(name)) as file:
            file.write(json.dumps(asdict(spending)).encode())

    def _read(self, path: str) -> Spending:
        with self._filesystem.open(path, "rb") as file:
            content = file.read()
        try:
            spending = Spending(**json.loads(content))
            if not 0 < spending.mu < math.inf:  # NaN would make any sum pass the budget
                raise ValueError(f"mu is {spending.mu}")
            return spending
        except (ValueError, TypeError) as error:
            raise StepError(f"{path}: expected what `penchant data private` spent ({error!r})") from error
