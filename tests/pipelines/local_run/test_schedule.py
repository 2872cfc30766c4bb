"""A schedule on this machine: at its times, once for missed ones, and on after a failed night."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from components.check_schedule.cron import Cron
from pipelines.local_run.schedule import LocalSchedule, run_at_times

NIGHTLY = Cron("0 3 * * *")
EVENING = datetime(2026, 11, 27, 20, tzinfo=UTC)


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self, now: datetime = EVENING) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def nights(
    home: Path, clock: Clock, count: int, cron: Cron = NIGHTLY, takes_s: float = 600
) -> list[datetime]:
    """Return when the next `count` runs start."""
    starts: list[datetime] = []
    schedule = LocalSchedule(home, cron, clock)

    def run() -> None:
        schedule.save()
        starts.append(clock.now)
        clock.sleep(takes_s)
        if len(starts) == count:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_at_times(schedule, run, lambda _: None, clock.sleep)
    return starts


def at(day: int, hour: int = 3, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


def test_a_new_schedule_waits_for_its_times(tmp_path: Path) -> None:
    assert nights(tmp_path, Clock(), 3) == [at(28), at(29), at(30)]


def test_times_missed_while_the_process_was_off_run_once_at_its_start(tmp_path: Path) -> None:
    nights(tmp_path, Clock(), 1)
    assert nights(tmp_path, Clock(at(30, 9)), 2) == [at(30, 9), at(30, 9) + timedelta(hours=18)]


def test_a_schedule_that_never_ran_has_missed_times_since_its_creation(tmp_path: Path) -> None:
    LocalSchedule(tmp_path, NIGHTLY, Clock())
    assert nights(tmp_path, Clock(at(28, 9)), 1) == [at(28, 9)]


def test_nothing_is_missed_between_two_times(tmp_path: Path) -> None:
    nights(tmp_path, Clock(), 1)
    assert nights(tmp_path, Clock(at(28, 9)), 1) == [at(29)]


def test_a_machine_that_slept_over_a_time_runs_when_it_wakes(tmp_path: Path) -> None:
    clock = Clock()

    def sleep(seconds: float) -> None:
        clock.now += timedelta(hours=30) if clock.now == EVENING else timedelta(seconds=seconds)

    started: list[datetime] = []

    def run() -> None:
        started.append(clock.now)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_at_times(LocalSchedule(tmp_path, NIGHTLY, clock), run, lambda _: None, sleep)
    assert started == [EVENING + timedelta(hours=30)]


def test_times_that_pass_during_a_run_are_one_run_after_it(tmp_path: Path) -> None:
    starts = nights(tmp_path, Clock(at(28, 2)), 3, Cron("0 * * * *"), takes_s=9000)
    assert starts == [at(28, 3), at(28, 5, 30), at(28, 8)]


def test_another_schedule_begins_anew(tmp_path: Path) -> None:
    nights(tmp_path, Clock(), 1)
    assert nights(tmp_path, Clock(at(30, 9)), 1, Cron("0 3 * * *", "Asia/Tokyo")) == [at(30, 18)]


def test_a_crash_of_a_run_does_not_start_it_again(tmp_path: Path) -> None:
    clock = Clock(at(28, 3, 1))
    LocalSchedule(tmp_path, NIGHTLY, Clock())
    schedule = LocalSchedule(tmp_path, NIGHTLY, clock)
    assert schedule.next_time == at(28)
    schedule.start()
    schedule.save()
    assert LocalSchedule(tmp_path, NIGHTLY, clock).next_time == at(29)


def test_a_night_that_can_not_be_noted_is_not_repeated_at_once(tmp_path: Path) -> None:
    clock, starts = Clock(), list[datetime]()

    def run() -> None:
        starts.append(clock.now)
        if len(starts) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_at_times(LocalSchedule(tmp_path, NIGHTLY, clock), run, lambda _: None, clock.sleep)
    assert starts == [at(28), at(29)]


def test_a_clock_that_was_set_back_does_not_stop_the_schedule(tmp_path: Path) -> None:
    LocalSchedule(tmp_path, NIGHTLY, Clock(at(30)))
    assert LocalSchedule(tmp_path, NIGHTLY, Clock(EVENING)).next_time == at(28)


def test_a_damaged_state_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "schedule.json").write_text("{}")
    with pytest.raises(ValueError, match=r"schedule\.json is damaged; delete it"):
        LocalSchedule(tmp_path, NIGHTLY)
