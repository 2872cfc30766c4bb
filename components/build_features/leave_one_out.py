"""The protocol leave-one-out: each user's last interactions are held out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.build_features.labelled_users import Integers, LabelledUsers
from components.build_features.splits import Split


@dataclass(frozen=True)
class LeaveOneOut:
    """The test target is a user's last positive interaction, the validation target the last one before it.

    Before: at an earlier time. Of several at one time the last one by id counts. A user without both targets,
    or without an interaction before them, is for training only.
    """

    as_of: int
    sampled_by: tuple[str, ...] = ()  # each user has one query per split

    def split(self, users: LabelledUsers) -> Split:
        validation, test = self._targets(users)
        train_until, test_from = np.full((2, len(users.user_ids)), self.as_of, np.int64)
        train_until[users.owners[validation]] = users.timestamps[validation]
        test_from[users.owners[test]] = users.timestamps[test]
        return Split(train_until, test_from, validation, test)

    def _targets(self, users: LabelledUsers) -> tuple[Integers, Integers]:
        """Return the positions of the validation and test targets of the users who have both."""
        positive = users.preferences > 0
        test = _last(users, positive)
        test_time = np.where(test >= 0, users.timestamps[test], np.iinfo(np.int64).min)
        validation = _last(users, positive & (users.timestamps < test_time[users.owners]))
        first_time = users.timestamps[users.offsets[:-1]]
        usable = (validation >= 0) & (first_time < users.timestamps[validation])
        return validation[usable], test[usable]


def _last(users: LabelledUsers, chosen: NDArray[np.bool_]) -> Integers:
    """Return [users] the position of each user's last chosen interaction, -1 for none."""
    last = np.full(len(users.user_ids), -1, np.int64)
    positions = np.flatnonzero(chosen)
    last[users.owners[positions]] = positions  # of equal indexes, NumPy keeps the last value
    return last
