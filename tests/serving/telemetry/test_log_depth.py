"""How much waits in the log for the next snapshot."""

from pathlib import Path

import pytest

from feature_repo.interaction import Interaction
from serving.errors import Unavailable
from serving.telemetry.log_depth import LogDepth
from serving.telemetry.metrics import Metrics
from serving.user_data.interaction_log import InteractionLog


def interactions(count: int, event_type: str = "view") -> list[Interaction]:
    return [Interaction(f"{event_type}-{n}", "u", "i", event_type, n) for n in range(count)]


def test_what_no_snapshot_holds_is_counted_without_impressions(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, metrics = InteractionLog(database_url), Metrics()
    monkeypatch.setattr("serving.user_data.interaction_log.time.time_ns", lambda: 4_000_000_000_000_000_000)
    log.record(interactions(3) + interactions(2, "impression"))
    depth = LogDepth(log, metrics)
    depth.count()
    assert metrics.log_depth._value.get() == 3
    metrics.saw_snapshot(4_000_000_000_000_000)
    metrics.saw_snapshot(17)  # an older replica's
    depth.count()
    assert metrics.log_depth._value.get() == 0
    log.close()


def test_a_log_that_is_down_leaves_the_last_count(tmp_path: Path) -> None:
    class Down:
        def depth(self, recorded_after: int) -> int:
            raise Unavailable("database is locked")

    metrics = Metrics()
    metrics.log_depth.set(7)
    LogDepth(Down(), metrics).count()
    assert metrics.log_depth._value.get() == 7


def test_the_age_of_the_snapshot_grows_without_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics, now = Metrics(), [2000.0]
    monkeypatch.setattr("serving.telemetry.metrics.time.time", lambda: now[0])
    age = "penchant_snapshot_age_seconds"
    assert metrics.registry.get_sample_value(age) == 0
    metrics.saw_snapshot(1_500_000_000)
    assert metrics.registry.get_sample_value(age) == 500
    now[0] += 60
    assert metrics.registry.get_sample_value(age) == 560
