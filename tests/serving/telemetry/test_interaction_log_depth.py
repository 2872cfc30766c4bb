"""The number of interactions after the snapshot, and the age of the snapshot."""

from pathlib import Path

import pytest

from feature_repo.interaction import Interaction
from serving.errors import Unavailable
from serving.telemetry.interaction_log_depth import LogDepth
from serving.telemetry.metrics import Metrics
from serving.user_data.interaction_log import InteractionLog


def interactions(count: int, event_type: str = "view") -> list[Interaction]:
    return [Interaction(f"{event_type}-{n}", "u", "i", event_type, n) for n in range(count)]


def test_count_includes_interactions_after_the_snapshot_but_no_impressions(database_url: str) -> None:
    log, metrics = InteractionLog(database_url), Metrics()
    log.record(interactions(3) + interactions(2, "impression"))
    depth = LogDepth(log, metrics)
    depth.count()
    assert metrics.registry.get_sample_value("penchant_interactions_after_snapshot") == 3
    log.mark(4_000_000_000_000_000)
    metrics.observe_snapshot(4_000_000_000_000_000)
    metrics.observe_snapshot(17)  # from an older replica of the store
    depth.count()
    assert metrics.registry.get_sample_value("penchant_interactions_after_snapshot") == 0
    log.close()


def test_count_keeps_the_last_value_when_the_log_is_unavailable(tmp_path: Path) -> None:
    class Down:
        def depth(self, as_of: int) -> int:
            raise Unavailable("database is locked")

    metrics = Metrics()
    metrics.log_depth.set(7)
    LogDepth(Down(), metrics).count()
    assert metrics.registry.get_sample_value("penchant_interactions_after_snapshot") == 7


def test_snapshot_age_grows_without_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics, now = Metrics(), [2000.0]
    monkeypatch.setattr("serving.telemetry.metrics.time.time", lambda: now[0])
    age = "penchant_snapshot_age_seconds"
    assert metrics.registry.get_sample_value(age) == 0
    metrics.observe_snapshot(1_500_000_000)
    assert metrics.registry.get_sample_value(age) == 500
    now[0] += 60
    assert metrics.registry.get_sample_value(age) == 560
