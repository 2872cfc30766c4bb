"""Recording: what the live release calls an exposure is recorded as an impression."""

from dataclasses import replace
from pathlib import Path

import pytest

from feature_repo.event_types import IMPRESSION, Kind
from feature_repo.feedback import FeedbackPolicy
from tests.serving import planted
from tests.serving.service import running


def test_exposures_of_the_live_policy_are_recorded_as_impressions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = FeedbackPolicy({"listed": Kind.EXPOSURE})
    fitted = replace(planted.filters(), feedback=policy)
    monkeypatch.setattr(planted, "filters", lambda: fitted)
    with running(tmp_path) as service:
        for event_type in ("listed", "Product Viewed", "unbox"):
            service.client.record("u", "horror-1", event_type=event_type)
        (recorded,) = service.log.export(0, service.log.mark(1))
    assert sorted(row.event_type for row in recorded) == [IMPRESSION, "unbox", "view"]
