"""Runs the training pipeline at set times on this machine, for as long as the process lives.

`schedule.json` in the home has the time of the last start. A time after it that has passed was missed,
because the process or the machine was off, asleep or busy: one run then starts at once, however many were
missed.
"""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from components.check_schedule.cron import Cron
from feature_repo.atomic_files import write_text_atomically

STATE: Final = "schedule.json"

# A sleeping machine stops the clock that `time.sleep` waits by, so the wall clock is read this often.
POLL_S: Final = 20.0


class LocalSchedule:
    """The times at which runs of a home start.

    Args:
        now: returns the present time, in UTC.

    Raises:
        ValueError: the state in the home is damaged.
    """

    def __init__(
        self, home: Path, cron: Cron, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._file, self._cron, self._now = home / STATE, cron, now
        self._last = self._read() or now()
        self._write()

    @property
    def next_time(self) -> datetime | None:
        """When the next run starts, in the time zone of the schedule; a missed time lies in the past."""
        return next(iter(self._cron.next_times(min(self._last, self._now()), 1)), None)

    def wait_s(self, until: datetime) -> float:
        """Return the seconds until a time; none or fewer if it has passed."""
        return (until - self._now()).total_seconds()

    def start(self) -> None:
        """Count the present time as that of the last start, for this process."""
        self._last = self._now()

    def save(self) -> None:
        """Note the last start in the home: a crash of the run does not start it again."""
        self._write()

    def _read(self) -> datetime | None:
        """Return the last start under this schedule; None if the home had another one, or none."""
        try:
            state = json.loads(self._file.read_text(encoding="utf-8"))
            last, schedule = datetime.fromisoformat(state["last"]), (state["cron"], state["timezone"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{self._file} is damaged; delete it, and the schedule begins anew") from error
        return last if schedule == (self._cron.expression, self._cron.timezone) else None

    def _write(self) -> None:
        state = {
            "cron": self._cron.expression,
            "timezone": self._cron.timezone,
            "last": self._last.isoformat(),
        }
        write_text_atomically(self._file, json.dumps(state))


def run_at_times(
    schedule: LocalSchedule,
    run: Callable[[], None],
    announce: Callable[[datetime], None],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Call `run` at each time of the schedule, one call after another, until there is no further time.

    Args:
        run: saves the schedule, and handles its own errors, so that a failed night does not end the schedule.
        announce: gets the time of the next run, before the wait for it.
    """
    while (next_time := schedule.next_time) is not None:
        announce(next_time)
        while (wait_s := schedule.wait_s(next_time)) > 0:
            sleep(min(wait_s, POLL_S))
        schedule.start()
        run()
