"""The protocols of "Time to Split": all interactions after one moment are held out.

D. Gusak et al.: Time to Split: Exploring Data Splitting Strategies for Offline Evaluation of Sequential
Recommenders. RecSys 2025, arXiv:2507.16289. The moment of the test is the 90 % quantile of all times, the
moment of the validation that of the times before it. A history has all that is before the target, also what
was held out.
"""

from dataclasses import dataclass
from typing import Final

import ibis.expr.types as ir
import numpy as np

from components.build_features.by_time import bounds, report_bounds
from components.build_features.labelled_users import Integers, LabelledUsers, ranks
from components.build_features.splits import Split

# The validation chooses the model and the blend: one target of each user would be few.
VALIDATIONS_PER_USER: Final = 10


@dataclass(frozen=True)
class GlobalTime:
    """Held out are the interactions from `first` on for the validation, from `second` on for the test.

    With `successive`, each positive test interaction is a target, else only the last one of each user. The
    validation has VALIDATIONS_PER_USER of them: spread over the user's interactions, or the last ones.
    """

    first: int  # µs since the epoch
    second: int
    successive: bool

    @property
    def sampled_by(self) -> tuple[str, ...]:
        return ("user_id", "cutoff", "target_item_id") if self.successive else ("user_id",)

    @classmethod
    def of(cls, interactions: ir.Table, as_of: int, successive: bool) -> "GlobalTime":
        """Hold out what is later than the 81 % and the 90 % quantile of all times.

        Raises:
            StepError: there are no interactions.
        """
        _, (first, second) = bounds(interactions, as_of, 81, 90)
        first, second = first + 1, second + 1  # an interaction at the quantile is for training
        report_bounds(first, second)
        return cls(first, second, successive)

    def split(self, users: LabelledUsers) -> Split:
        validation = self._held_out(users, self.first, self.second)
        test = self._held_out(users, self.second, np.iinfo(np.int64).max)
        places, counts = _places(users.owners[validation])
        if self.successive:
            limits = np.minimum(VALIDATIONS_PER_USER, counts)
            chosen = places * limits % counts < limits  # evenly spread
        else:
            chosen = places >= counts - VALIDATIONS_PER_USER
            at, of = _places(users.owners[test])
            test = test[at == of - 1]
        train_until, test_from = np.full((len(users.user_ids), 2), (self.first, self.second), np.int64).T
        return Split(train_until, test_from, validation[chosen], test)

    def _held_out(self, users: LabelledUsers, start: int, end: int) -> Integers:
        """Return the positions of the positive interactions in [start, end) that have a history."""
        in_span = (users.timestamps >= start) & (users.timestamps < end)
        has_history = users.timestamps > users.timestamps[users.offsets[:-1]][users.owners]
        return np.flatnonzero((users.preferences > 0) & in_span & has_history)


def _places(owners: Integers) -> tuple[Integers, Integers]:
    """Return the number of each user's rows before a row, and the number of all of them; both [rows]."""
    counts = np.unique(owners, return_inverse=True, return_counts=True)
    return ranks(owners), counts[2][counts[1]]
