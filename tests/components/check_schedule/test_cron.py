from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest

from components.check_schedule.cron import Cron

NOW = datetime(2026, 10, 24, 12, tzinfo=UTC)


def minutes(times: list[datetime]) -> list[str]:
    return [f"{time.astimezone(UTC):%d %H:%M}" for time in times]


def test_times_follow_the_zone_across_the_end_of_summer_time() -> None:
    times = Cron.parse("0 3 * * *", "Europe/London").next_times(datetime(2026, 10, 23, 12, tzinfo=UTC), 3)

    assert minutes(times) == ["24 02:00", "25 03:00", "26 03:00"]


def test_a_time_that_summer_time_skips_comes_right_after_the_change() -> None:
    times = Cron.parse("30 1 * * *", "Europe/London").next_times(datetime(2026, 3, 28, 12, tzinfo=UTC), 2)

    assert minutes(times) == ["29 01:00", "30 00:30"]


def test_a_time_that_occurs_twice_comes_once() -> None:
    times = Cron.parse("30 1 * * *", "Europe/London").next_times(NOW, 2)

    assert minutes(times) == ["25 00:30", "26 01:30"]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("foo bar baz a b c", "five fields"),
        ("0 0 3 * * *", "five fields"),
        ("@daily", "five fields"),
        ("61 3 * * *", "Bad minute"),
        ("0 24 * * *", "Bad hour"),
        ("0 3 * * mondays", "Bad day-of-week"),
        ("0 3 30 2 *", "Bad day-of-month"),
    ],
)
def test_a_wrong_expression_is_refused(expression: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Cron.parse(expression)


def test_an_unknown_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="timezone='Europe/Lundon'"):
        Cron.parse("0 3 * * *", "Europe/Lundon")


@pytest.mark.parametrize(
    ("expression", "translated"),
    [
        ("0 3 * * *", "0 0 3 * * *"),
        ("*/20 * * * *", "0 0,20,40 * * * *"),
        ("30 2 * * 7", "0 30 2 * * 0"),
        ("30 2 * * mon-wed", "0 30 2 * * 1,2,3"),
        ("0 3 1 jan,jul *", "0 0 3 1 1,7 *"),
        ("0 3 1,15 * 5", "0 0 3 1,15 * 5"),
    ],
)
def test_in_kubeflows_own_zone_the_translation_is_exact(expression: str, translated: str) -> None:
    trigger = Cron.parse(expression).kubeflow_trigger("UTC", NOW)

    assert (trigger.cron, trigger.tolerance) == (translated, None)


@pytest.mark.parametrize("expression", ["0 3 L * *", "0 3 * * 1#1", "0 3 */2 * 1", "0 3 1-31 * 1"])
def test_days_that_kubeflow_reads_differently_are_checked_by_the_run(expression: str) -> None:
    trigger = Cron.parse(expression).kubeflow_trigger("UTC", NOW)

    assert trigger.cron == "0 0 3 * * *"
    assert trigger.tolerance == timedelta(minutes=55)


def test_in_another_zone_the_trigger_has_the_times_of_summer_and_winter() -> None:
    trigger = Cron.parse("0 3 * * 1", "Europe/London").kubeflow_trigger("UTC", NOW)

    assert trigger.cron == "0 0 2,3 * * *"
    assert trigger.tolerance == timedelta(minutes=55)


@pytest.mark.parametrize(
    ("expression", "timezone"),
    [
        ("0 3 * * *", "Europe/London"),
        ("30 0 * * 1", "America/New_York"),
        ("15 2 1 * *", "Australia/Lord_Howe"),  # summer time is half an hour
        ("45 23 L * *", "Asia/Kathmandu"),  # 5:45 h ahead of UTC
        ("0 */6 * * *", "Europe/Berlin"),
    ],
)
def test_over_a_year_the_runs_that_are_due_are_those_of_the_schedule(expression: str, timezone: str) -> None:
    cron = Cron.parse(expression, timezone)
    trigger = cron.kubeflow_trigger("UTC", NOW)
    starts = takewhile(
        lambda time: time < NOW + timedelta(days=366), Cron.parse(trigger.cron.removeprefix("0 ")).times(NOW)
    )
    assert trigger.tolerance

    late = timedelta(minutes=5)
    due = [start for start in starts if cron.is_due(start + late, trigger.tolerance)]

    expected = cron.next_times(NOW, len(due))
    assert len(due) > 11
    # A time that summer time skips starts with the next start of the trigger.
    assert all(abs(start - time) <= timedelta(hours=1) for start, time in zip(due, expected, strict=True))
    assert (
        sum(start != time.astimezone(ZoneInfo("UTC")) for start, time in zip(due, expected, strict=True)) <= 2
    )
