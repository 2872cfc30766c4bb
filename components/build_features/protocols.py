"""The evaluation protocols: which interactions are held out for the validation and the test."""

from dataclasses import dataclass
from typing import Final, Protocol

import ibis.expr.types as ir
import numpy as np
from numpy.typing import NDArray

from components.build_features.labelled_users import Integers, LabelledUsers, ranks
from components.build_features.time_conversion import microseconds, to_datetime
from components.build_features.time_quantiles import tenths
from components.compute.engine import fetch
from components.errors import StepError
from components.progress import report

# Under "time": a limit per user and split, so that very active users do not dominate.
QUERIES_PER_USER: Final = 10


@dataclass(frozen=True)
class Split:
    """The split of some users' interactions; only positive interactions are held out."""

    train_until: Integers  # [users] the time (µs) before which their interactions are for training
    validation: Integers  # positions of the targets
    test: Integers

    @property
    def targets(self) -> dict[str, Integers]:
        return {"validation": self.validation, "test": self.test}


class EvaluationProtocol(Protocol):
    """Splits the interactions of some users.

    With `samples_users`, the queries of spine.MAX_QUERY_USERS users are enough.
    """

    @property
    def samples_users(self) -> bool: ...
    def split(self, users: LabelledUsers, /) -> Split: ...


@dataclass(frozen=True)
class LeaveOneOut:
    """The test target is a user's last positive interaction, the validation target the last one before it.

    Before: at an earlier time. Of several at one time the last one by id counts. A user without both targets,
    or without an interaction before them, is for training only.
    """

    as_of: int
    samples_users: bool = False  # each user has one query per split

    def split(self, users: LabelledUsers) -> Split:
        validation, test = self._targets(users)
        until = np.full(len(users.user_ids), self.as_of, np.int64)
        until[users.owners[validation]] = users.timestamps[validation]
        return Split(until, validation, test)

    def _targets(self, users: LabelledUsers) -> tuple[Integers, Integers]:
        """Return the positions of the validation and test targets of the users who have both."""
        positive = users.preferences > 0
        test = _last(users, positive)
        test_time = np.where(test >= 0, users.timestamps[test], np.iinfo(np.int64).min)
        validation = _last(users, positive & (users.timestamps < test_time[users.owners]))
        first_time = users.timestamps[users.offsets[:-1]]
        usable = (validation >= 0) & (first_time < users.timestamps[validation])
        return validation[usable], test[usable]


@dataclass(frozen=True)
class ByTime:
    """Interactions before `first` are for training, those before `second` for validation, the rest for tests.

    Each user has at most QUERIES_PER_USER targets in a split, the earliest positive ones.
    """

    first: int  # µs since the epoch
    second: int
    samples_users: bool = True

    @classmethod
    def of(cls, interactions: ir.Table, as_of: int) -> "ByTime":
        """Split 80 %, 10 % and 10 % of all interactions.

        Raises:
            StepError: there are no interactions, or they have fewer than three different times.
        """
        times = interactions.select(micros=microseconds(interactions.timestamp))
        if not (bounds := tenths(times, 8, 9)):
            raise StepError(
                f"no interactions before {to_datetime(as_of)} except impressions: "
                "ingest clicks or purchases too"
            )
        first, second = bounds
        validation = times.filter(times.micros.between(first, second - 1))
        if not fetch(validation.limit(1)).num_rows:
            first, second = _bounds_of_coarse_times(times, second)
        report(
            f"train before {to_datetime(first):%Y-%m-%d %H:%M}, "
            f"validation before {to_datetime(second):%Y-%m-%d %H:%M}"
        )
        return cls(first, second)

    def split(self, users: LabelledUsers) -> Split:
        return Split(
            np.full(len(users.user_ids), self.first, np.int64),
            self._earliest(users, self.first, self.second),
            self._earliest(users, self.second, np.iinfo(np.int64).max),
        )

    def _earliest(self, users: LabelledUsers, start: int, end: int) -> Integers:
        """Return the positions of each user's earliest positive interactions in [start, end)."""
        in_span = (users.timestamps >= start) & (users.timestamps < end)
        chosen = np.flatnonzero((users.preferences > 0) & in_span)
        earliest: Integers = chosen[ranks(users.owners[chosen]) < QUERIES_PER_USER]
        return earliest


PROTOCOLS: Final = ("leave-one-out", "time")


def make_protocol(name: str, interactions: ir.Table, as_of: int) -> EvaluationProtocol:
    """Return the protocol of this name.

    Raises:
        StepError: the name is unknown, or there is nothing to split by time.
    """
    if name not in PROTOCOLS:
        raise StepError(f"protocol={name!r}: expected one of {', '.join(PROTOCOLS)}")
    return LeaveOneOut(as_of) if name == "leave-one-out" else ByTime.of(interactions, as_of)


def _last(users: LabelledUsers, chosen: NDArray[np.bool_]) -> Integers:
    """Return [users] the position of each user's last chosen interaction, -1 for none."""
    last = np.full(len(users.user_ids), -1, np.int64)
    positions = np.flatnonzero(chosen)
    last[users.owners[positions]] = positions  # of equal indexes, NumPy keeps the last value
    return last


def _bounds_of_coarse_times(times: ir.Table, bound: int) -> tuple[int, int]:
    """Return bounds with interactions in all three parts; 90 % of them are before `bound`, or at it."""
    times = times.distinct()
    earlier = times.filter(times.micros < bound).order_by(times.micros.desc()).limit(2)
    later = times.filter(times.micros >= bound).order_by(times.micros).limit(3)
    before, after = (sorted(fetch(table)["micros"].to_pylist()) for table in (earlier, later))
    around = [*before, *after]
    if len(around) < 3:
        raise StepError(
            f"the interactions have {len(around)} different times; protocol time needs three: one to train "
            "on, one to validate and one to test; ingest a longer span, or finer times"
        )
    first = min(len(before), len(around) - 2) or 1
    return around[first], around[first + 1]
