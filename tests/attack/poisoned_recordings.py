"""Recordings, and a file, that would stop each later run or delete other people's rows.

Each case is recorded as a client does, and once more past the checks of the service, as an earlier version
let it. Then a run ingests and validates; it has to pass, with all rows of the other people.
"""

import time
from typing import Final

from feature_repo.interaction import Interaction
from tests.attack.figures import Figure
from tests.attack.planted_home import ROWS, PlantedHome, planted_home, shop_rows

HOUR_US: Final = 3_600_000_000


def figures() -> list[Figure]:
    now = time.time_ns() // 1000
    with planted_home() as home:
        return [
            *_case(home, "400 recordings at the time 0", _recordings("zero", 400, 0), "refused"),
            *_case(home, "400 two hours ahead", _recordings("ahead", 400, now + 2 * HOUR_US), "refused"),
            *_case(home, "3,000 with the ids of a file's rows", _with_taken_ids(now), "recorded"),
            *_case(home, "2,600 of one bot in an hour", _recordings("bot", 2_600, now - HOUR_US), "recorded"),
            *_bad_file(home),
        ]


def _recordings(name: str, count: int, timestamp: int) -> list[Interaction]:
    return [
        Interaction(f"{name} {number}", "eve", f"i{number % 40}", "view", timestamp + number)
        for number in range(count)
    ]


def _with_taken_ids(now: int) -> list[Interaction]:
    return [Interaction(str(number), "eve", "spam", "view", now + number) for number in range(3_000)]


def _case(home: PlantedHome, what: str, recordings: list[Interaction], expected: str) -> list[Figure]:
    answer = home.record(recordings).partition(":")[0]
    home.record(recordings, checked=False)
    outcome, rows = home.run(), home.rows_of_others()
    return [
        Figure(f"{what}: the service", answer, expected, answer == expected),
        Figure(f"{what}: the next run", outcome, "passed", outcome == "passed"),
        Figure(f"{what}: rows of others", f"{rows:,}", f"{ROWS:,}", rows == ROWS),
    ]


def _bad_file(home: PlantedHome) -> list[Figure]:
    """A file whose times went wrong stops its run; the corrected one does not."""
    right = shop_rows()
    wrong = [row.replace(",20", ",19") if number % 4 else row for number, row in enumerate(right)]
    stopped = home.run(wrong)
    corrected, later = home.run(right), home.run()
    rows = home.rows_of_others()
    return [
        Figure("a file with wrong times: its run", stopped[:40], "stops", "failed" in stopped),
        Figure("a file with wrong times: corrected", corrected, "passed", corrected == "passed"),
        Figure("a file with wrong times: a run after that", later, "passed", later == "passed"),
        Figure("a file with wrong times: rows of others", f"{rows:,}", f"{ROWS:,}", rows == ROWS),
    ]
