"""Cron schedules in a time zone, and their translation for Kubeflow, which has one zone for all schedules."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Any, Final, Self
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

FIELDS: Final = ("minute", "hour", "day of month", "month", "day of week")
EXAMPLE: Final = "'0 3 * * *' is 03:00 every day"

# In a year a zone has every offset that it ever has from Kubeflow's.
_YEAR: Final = timedelta(days=366)

# A run may start this much later than its schedule says, because of a queue or a large image.
_LONGEST_DELAY: Final = timedelta(minutes=55)
_MARGIN: Final = timedelta(minutes=5)


@dataclass(frozen=True)
class KubeflowTrigger:
    """When Kubeflow starts a run.

    Attributes:
        cron: six fields, seconds first, in Kubeflow's time zone.
        tolerance: None if `cron` has exactly the times of the schedule. Otherwise it has more times: a run
            is due only if a time of the schedule lies at most this long before its start.
    """

    cron: str
    tolerance: timedelta | None


@dataclass(frozen=True)
class Cron:
    """A cron expression of five fields, in a time zone; the rules are those of Debian's cron.

    A time that the change to summer time skips comes right after the change; one that occurs twice
    comes once.
    """

    expression: str
    timezone: str = "UTC"

    @classmethod
    def parse(cls, expression: str, timezone: str = "UTC") -> Self:
        """Check a cron expression and a time zone.

        Raises:
            ValueError: not five fields, a field that cron does not know, or an unknown time zone.
        """
        fields = expression.split()
        if len(fields) != len(FIELDS):
            raise ValueError(
                f"cron={expression!r}: expected five fields ({', '.join(FIELDS)}), not {len(fields)}; "
                f"{EXAMPLE}"
            )
        if timezone not in available_timezones():
            raise ValueError(f"timezone={timezone!r}: expected a name such as Europe/London or UTC")
        try:
            CronSim(expression, datetime.now(UTC))
        except CronSimError as error:
            raise ValueError(f"cron={expression!r}: {error}; {EXAMPLE}") from error
        return cls(" ".join(fields), timezone)

    def times(self, after: datetime) -> Iterator[datetime]:
        """Yield the times after `after`, in the time zone of the schedule."""
        return CronSim(self.expression, after.astimezone(ZoneInfo(self.timezone)))

    def next_times(self, after: datetime, count: int) -> list[datetime]:
        """Return the next `count` times; fewer if the expression has no more, such as 30 February."""
        return list(islice(self.times(after), count))

    def is_due(self, now: datetime, tolerance: timedelta) -> bool:
        """Return whether a time of the schedule lies in the `tolerance` before `now`."""
        return any(time <= now for time in self.next_times(now - tolerance, 1))

    def kubeflow_trigger(self, kubeflow_timezone: str, now: datetime) -> KubeflowTrigger:
        """Translate the schedule to Kubeflow's time zone.

        Kubeflow reads six fields and no time zone. If its own zone is another one, no cron expression has the
        times of this schedule in summer and in winter: the trigger has those of both, on every day.
        """
        if self.timezone == kubeflow_timezone and (exact := self._with_seconds()):
            return KubeflowTrigger(exact, None)
        times = [time.astimezone(ZoneInfo(kubeflow_timezone)) for time in self._times_on_every_day(now)]
        hours, minutes = {time.hour for time in times}, {time.minute for time in times}
        cron = f"0 {_listed(minutes, range(60))} {_listed(hours, range(24))} * * *"
        return KubeflowTrigger(cron, _tolerance(hours, minutes))

    def _times_on_every_day(self, after: datetime) -> Iterator[datetime]:
        """Yield the times of a year, without the days of the expression and without times that were moved."""
        minute, hour, *_ = self.expression.split()
        daily: Any = CronSim(f"{minute} {hour} * * *", after.astimezone(ZoneInfo(self.timezone)))
        for time in takewhile(lambda time: time < after + _YEAR, daily):
            if time.hour in daily.hours and time.minute in daily.minutes:
                yield time

    def _with_seconds(self) -> str | None:
        """Return the expression in six fields, or None if Kubeflow's cron would read its days differently."""
        parsed: Any = CronSim(self.expression, datetime.now(UTC))
        days, weekdays = parsed.days, parsed.weekdays
        if not all(isinstance(day, int) and day >= 0 for day in (*days, *weekdays)):
            return None  # L, LW and #, which Kubeflow does not know
        weekdays = {day % 7 for day in weekdays}
        every_day = [len(days) == 31, len(weekdays) == 7]
        # Kubeflow combines days and weekdays with "and" if one of them is *, otherwise with "or".
        if any(every_day) != parsed.day_and:
            return None
        fields = (
            (parsed.minutes, range(60)),
            (parsed.hours, range(24)),
            (days, range(1, 32)),
            (parsed.months, range(1, 13)),
            (weekdays, range(7)),
        )
        return " ".join(["0", *(_listed(values, every) for values, every in fields)])


def _listed(values: Collection[int], every: range) -> str:
    return "*" if len(values) == len(every) else ",".join(map(str, sorted(values)))


def _tolerance(hours: set[int], minutes: set[int]) -> timedelta:
    """Return how late a run may start without being taken for the next start of the trigger."""
    starts = sorted(timedelta(hours=hour, minutes=minute) for hour in hours for minute in minutes)
    gaps = (
        later - earlier
        for earlier, later in zip(starts, [*starts[1:], starts[0] + timedelta(days=1)], strict=True)
    )
    return min(_LONGEST_DELAY, *(gap - _MARGIN for gap in gaps))
