"""An interleaved answer mixes two rankings, and its exposure says whose pick each place is."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serving.api.validation import RequestLimits
from serving.errors import Unavailable
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.scenarios import load_scenarios
from serving.release.release_store import ReleaseStore
from serving.replay.not_repeatable import NotRepeatable
from serving.replay.replayer import Replayer
from tests.patience import wait_until
from tests.serving.experiments.experiments import experiment, write
from tests.serving.exposures.test_exposure_log import recorded, shown
from tests.serving.service import RunningService, running

# Release 1 as it is, against release 2 with horror alone.
ARMS = [{"name": "all", "release": 1}, {"name": "horror", "release": 2, "scenario": "horror"}]


@pytest.fixture(scope="module")
def scenarios(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("scenarios") / "scenarios.toml"
    file.write_text('[horror]\ncategories = ["Horror"]\n[varied]\ndiversity = 0.5\n')
    return file


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, scenarios: Path) -> Iterator[RunningService]:
    """A service that interleaves, for a user who likes comedies."""
    root = tmp_path_factory.mktemp("interleaved")
    with running(root, versions=(1, 2), scenarios=scenarios) as service:
        for number in range(3):
            service.client.record("u", f"comedy-{number}", event_type="like")
        write(root, experiment("interleaving", ARMS, requests=""))
        wait_until(lambda: any(item[:6] == "horror" for item in shown(service.client.recommend("u", k=4))))
        yield service


def test_the_places_are_those_of_both_and_the_exposure_has_their_credits(service: RunningService) -> None:
    for number in range(5):
        answer = service.client.recommend("u", k=4, request_id=f"r{number}")
        exposure = recorded(service, f"r{number}")
        assert exposure.item_ids == shown(answer)
        by_credit = dict(zip(exposure.credits, exposure.item_ids, strict=True))
        assert set(exposure.credits) == {-1.0, 1.0}
        assert by_credit[-1.0].startswith("comedy")
        assert by_credit[1.0].startswith("horror")
        assert (exposure.experiment, exposure.arm, exposure.scenario) == ("e", "interleaved", "")
        assert list(exposure.propensities) == [0.5, 1.0, 0.5, 1.0]
        titles = {item.item_id: item.title for item in answer.recommendations}
        assert titles[by_credit[-1.0]].endswith("of 1")
        assert titles[by_credit[1.0]].endswith("of 2")
    again = service.client.recommend("u", k=4, request_id="r4")
    assert shown(again) == exposure.item_ids


def test_what_cannot_be_interleaved_is_answered_by_the_live_release(service: RunningService) -> None:
    assert {item[:6] for item in shown(service.client.recommend("u", k=4, explain=True))} == {"comedy"}
    service.client.recommend("u", k=4, scenario="varied", request_id="varied")
    service.client.recommend("", k=4, request_id="nobody")
    assert [recorded(service, name).experiment for name in ("varied", "nobody")] == ["", ""]


def test_where_an_arm_fails_the_other_one_answers_alone_and_no_click_counts(
    service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    rank = LoadedRelease.rank

    def fails(release: LoadedRelease, *arguments: Any) -> Any:
        if release.version == 2:
            raise ZeroDivisionError
        return rank(release, *arguments)

    monkeypatch.setattr(LoadedRelease, "rank", fails)
    answer = service.client.recommend("u", k=4, request_id="failed")
    exposure = recorded(service, "failed")
    assert {item[:6] for item in shown(answer)} == {"comedy"}
    assert [each.stage for each in answer.degraded] == ["experiment"]
    assert (exposure.arm, exposure.credits) == ("interleaved", ())


def test_a_ranking_without_interests_gets_no_click(
    service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    interest = service.model.interest

    async def lacks(*arguments: Any) -> Any:
        if arguments[1] == 2:
            raise Unavailable("the version hangs")
        return await interest(*arguments)

    monkeypatch.setattr(service.model, "interest", lacks)
    answer = service.client.recommend("u", k=4, history=["comedy-1"], request_id="degraded")
    assert "interest" in {each.stage for each in answer.degraded}
    assert recorded(service, "degraded").credits == ()


def test_an_interleaved_answer_cannot_be_repeated_and_says_so(
    service: RunningService, scenarios: Path
) -> None:
    service.client.recommend("u", k=4, request_id="once")
    known, limits, features = load_scenarios(scenarios), RequestLimits(), service.features
    replayer = Replayer(
        features, lambda *_: features, service.log, service.exposures, service.model, known, limits
    )
    release = LoadedRelease(ReleaseStore(str(service.root / "releases")).open(1))
    with pytest.raises(NotRepeatable, match="experiment e interleaved the answers of two releases"):
        asyncio.run(replayer.replay(recorded(service, "once"), release))


def test_a_scenario_that_does_not_order_by_score_is_refused(
    tmp_path: Path, scenarios: Path, caplog: pytest.LogCaptureFixture
) -> None:
    arms = [{"name": "all", "release": 1}, {"name": "varied", "release": 1, "scenario": "varied"}]
    with running(tmp_path, scenarios=scenarios):
        write(tmp_path, experiment("interleaving", arms, requests=""))
        wait_until(lambda: "scenario 'varied' does not order by score alone" in caplog.text)
