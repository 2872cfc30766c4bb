"""Withdrawing a user's interactions deletes what the user was shown."""

from pathlib import Path

import pytest

from components.evaluate_online.exposure_deletion import delete_exposures
from serving.exposures.exposure_store import ExposureStore
from tests.serving.exposures.exposures import exposure, rows

DAY_US = 86_400_000_000


@pytest.mark.parametrize(
    ("source", "conditions", "left"),
    [
        ("", ["user_id=u"], ["v1"]),
        ("log", [" user_id = u "], ["v1"]),
        ("", ["user_id=u", "timestamp<1970-01-02"], ["u1", "u2", "v1"]),
        ("", ["user_id=u", "timestamp>=1970-01-02", "timestamp<=1970-01-02T00:00:00Z"], ["u0", "u2", "v1"]),
        ("", ["user_id=u", "timestamp>1970-01-02"], ["u0", "u1", "v1"]),
        ("sales.csv", ["user_id=u"], ["u0", "u1", "u2", "v1"]),
        ("", ["user_id=u", "event_type=view"], ["u0", "u1", "u2", "v1"]),
        ("", ["user_id!=u"], ["u0", "u1", "u2", "v1"]),
        ("", ["timestamp<2024-01-01"], ["u0", "u1", "u2", "v1"]),
    ],
)
def test_conditions_on_a_user_and_times_delete_exposures(
    tmp_path: Path, source: str, conditions: list[str], left: list[str]
) -> None:
    url = f"sqlite:///{tmp_path}/log.db"
    store = ExposureStore(url)
    shown = (("u", 0), ("u", 1), ("u", 2), ("v", 1))
    store.append(rows(exposure(f"{user}{day}", user, timestamp=day * DAY_US) for user, day in shown))
    assert delete_exposures(url, source, conditions) == 4 - len(left)
    kept = [each.request_id for batch in store.between(0, 9 * DAY_US) for each in batch]
    assert sorted(kept) == left
    store.close()


def test_without_a_log_there_is_nothing_to_delete(tmp_path: Path) -> None:
    assert delete_exposures(f"sqlite:///{tmp_path}/log.db", "", ["user_id=u"]) == 0
    assert not (tmp_path / "log.db").exists()
