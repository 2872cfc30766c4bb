"""The protocol time: all users are split at two moments; their first choices after each are held out."""

from dataclasses import dataclass
from typing import Final

import ibis.expr.types as ir
import numpy as np

from components.build_features.labelled_users import Integers, LabelledUsers, ranks
from components.build_features.splits import Split
from components.build_features.time_conversion import microseconds, to_datetime
from components.build_features.time_quantiles import percentiles
from components.compute.engine import fetch
from components.errors import StepError
from components.progress import report

# A limit per user and split, so that very active users do not dominate.
QUERIES_PER_USER: Final = 10


@dataclass(frozen=True)
class ByTime:
    """Interactions before `first` are for training, those before `second` for validation, the rest for tests.

    Each user has at most QUERIES_PER_USER targets in a split, the earliest positive ones.
    """

    first: int  # µs since the epoch
    second: int
    sampled_by: tuple[str, ...] = ("user_id",)

    @classmethod
    def of(cls, interactions: ir.Table, as_of: int) -> "ByTime":
        """Split 80 %, 10 % and 10 % of all interactions.

        Raises:
            StepError: there are no interactions, or they have fewer than three different times.
        """
        times, (first, second) = bounds(interactions, as_of, 80, 90)
        validation = times.filter(times.micros.between(first, second - 1))
        if not fetch(validation.limit(1)).num_rows:
            first, second = _bounds_of_coarse_times(times, second)
        report_bounds(first, second)
        return cls(first, second)

    def split(self, users: LabelledUsers) -> Split:
        train_until, test_from = np.full((len(users.user_ids), 2), (self.first, self.second), np.int64).T
        return Split(
            train_until,
            test_from,
            self._earliest(users, self.first, self.second),
            self._earliest(users, self.second, np.iinfo(np.int64).max),
        )

    def _earliest(self, users: LabelledUsers, start: int, end: int) -> Integers:
        """Return the positions of each user's earliest positive interactions in [start, end)."""
        in_span = (users.timestamps >= start) & (users.timestamps < end)
        chosen = np.flatnonzero((users.preferences > 0) & in_span)
        earliest: Integers = chosen[ranks(users.owners[chosen]) < QUERIES_PER_USER]
        return earliest


def bounds(interactions: ir.Table, as_of: int, *percents: int) -> tuple[ir.Table, list[int]]:
    """Return the column `micros` of all interactions, and its percentiles.

    Raises:
        StepError: there are no interactions.
    """
    times = interactions.select(micros=microseconds(interactions.timestamp))
    if not (found := percentiles(times, *percents)):
        raise StepError(
            f"no interactions before {to_datetime(as_of)} except impressions: ingest clicks or purchases too"
        )
    return times, found


def report_bounds(first: int, second: int) -> None:
    report(
        f"train before {to_datetime(first):%Y-%m-%d %H:%M}, "
        f"validation before {to_datetime(second):%Y-%m-%d %H:%M}"
    )


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
