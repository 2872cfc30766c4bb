"""Users get the arm that their id decides, and each exposure says which."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serving.experiments import arm_answers
from serving.experiments.experiment import Act
from serving.experiments.experiment_file import ExperimentFile
from serving.experiments.experiment_watcher import ExperimentWatcher
from serving.ranking.candidate_set import Candidates
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.open_releases import OpenReleases
from serving.ranking.query import Query
from serving.ranking.request import Request
from serving.release.release_store import ReleaseStore
from serving.telemetry.metrics import Metrics
from tests.patience import wait_until
from tests.serving.experiments.experiments import AT, experiment, file_of, follow, halves, user_of, write
from tests.serving.exposures.test_exposure_log import recorded
from tests.serving.planted import FakeInterestModel, FakeVersions, write_release
from tests.serving.service import RunningService, running


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    with running(tmp_path, versions=(1, 2)) as service:
        yield service


def test_each_arm_of_an_ab_experiment_answers_its_users_and_is_recorded(service: RunningService) -> None:
    started = halves()
    new = follow(service, started, arm="new")
    old, outside = user_of(started, "old"), ""
    answers = [service.client.recommend(user, k=2, request_id=f"r{user}") for user in (new, old, outside)]
    assert [answer.release_version for answer in answers] == [2, 1, 1]
    shown = [recorded(service, f"r{user}") for user in (new, old, outside)]
    assert [(each.experiment, each.arm) for each in shown] == [("e", "new"), ("e", "old"), ("", "")]
    assert [item.title[-4:] for item in answers[0].recommendations] == ["of 2"] * 2


def test_an_erased_user_is_dropped_by_the_releases_of_all_arms(
    service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, versions = follow(service, halves(), arm="new"), set[int]()
    monkeypatch.setattr(LoadedRelease, "forget", lambda release, erased: versions.add(release.version))
    service.client.erase(user)
    wait_until(lambda: versions == {1, 2})


def test_an_arms_scenario_replaces_that_of_its_requests_alone(service: RunningService) -> None:
    arms = [
        {"name": "old", "release": 1, "scenario": "content", "share": 0.5},
        {"name": "new", "release": 2, "scenario": "social", "share": 0.5},
    ]
    started = experiment("ab", arms, requests="content")
    new = user_of(started, "new")
    write(service.root, started)
    wait_until(lambda: service.client.recommend(new, scenario="content").release_version == 2)
    assert service.client.recommend(new, scenario="content", request_id="r1").release_version == 2
    assert service.client.recommend(new, scenario="email", request_id="r2").release_version == 1
    shown = [recorded(service, "r1"), recorded(service, "r2")]
    assert [(each.arm, each.scenario) for each in shown] == [("new", "social"), ("", "email")]


def test_a_stop_brings_everybody_back_to_the_live_release(service: RunningService) -> None:
    started = experiment("canary", share=0.5)
    user = follow(service, started)
    assert service.client.recommend(user_of(started, "live")).release_version == 1
    write(service.root, started.with_act(Act(what="stopped", by="ada", at=AT)))
    wait_until(lambda: service.client.recommend(user).release_version == 1)


def test_nobody_is_in_an_arm_once_the_candidate_is_live(service: RunningService) -> None:
    user = follow(service, experiment("canary", share=0.5))
    service.go_live(2)
    other = user_of(experiment("canary", share=0.5), "live")
    wait_until(lambda: service.client.recommend(other).release_version == 2)
    service.client.recommend(user, request_id="r")
    assert (recorded(service, "r").experiment, recorded(service, "r").release_version) == ("", 2)


def test_a_damaged_file_and_an_unknown_release_change_nothing(
    service: RunningService, caplog: pytest.LogCaptureFixture
) -> None:
    user = follow(service, halves(), arm="new")
    (service.root / "releases" / "experiment.json").write_text('{"name": "e"')
    wait_until(lambda: "experiment.json is refused: Invalid JSON" in caplog.text)
    assert service.client.recommend(user).release_version == 2
    stopped = halves().with_act(Act(what="stopped", by="ada", at=AT))
    write(service.root, stopped)
    wait_until(lambda: service.client.recommend(user).release_version == 1)


def test_an_experiment_with_a_release_that_cannot_be_opened_leaves_the_live_one(
    service: RunningService, caplog: pytest.LogCaptureFixture
) -> None:
    write(service.root, experiment("canary", [{"name": "live"}, {"name": "new", "release": 9}]))
    wait_until(lambda: "experiment.json is refused: no release at" in caplog.text)
    assert service.client.recommend("u").release_version == 1


def test_an_experiment_ends_when_another_one_follows_that_cannot_begin(service: RunningService) -> None:
    user = follow(service, halves(), arm="new")
    unknown: list[dict[str, Any]] = [{"name": "live"}, {"name": "new", "release": 9}]
    write(service.root, experiment("canary", unknown, name="next"))
    wait_until(lambda: service.client.recommend(user).release_version == 1)


def test_an_experiment_waits_until_the_model_server_has_its_release(
    service: RunningService, caplog: pytest.LogCaptureFixture
) -> None:
    service.model.versions = [1]
    write(service.root, experiment("canary"))
    wait_until(lambda: "model server does not report release 2 as AVAILABLE" in caplog.text)
    assert service.client.recommend("u").release_version == 1


def test_a_release_that_the_model_server_lacks_is_counted_and_a_new_ramp_waits_for_nothing(
    tmp_path: Path,
) -> None:
    write_release(tmp_path / "releases", 2)
    file, model, metrics = file_of(tmp_path), FakeInterestModel(), Metrics()
    releases = OpenReleases(ReleaseStore(file.store.root))
    watcher = ExperimentWatcher(releases, FakeVersions(model), {}, metrics)
    model.versions = []
    write(tmp_path, experiment("canary", share=0.1))
    watcher.refresh()
    assert metrics.registry.get_sample_value("penchant_experiment_running") == 0
    assert metrics.registry.get_sample_value("penchant_experiment_failures_total") == 1
    model.versions = [2]
    write(tmp_path, experiment("canary", share=0.2))
    watcher.refresh()
    assert metrics.registry.get_sample_value("penchant_experiment_running") == 1
    model.versions = []
    write(tmp_path, experiment("canary", share=0.3))
    watcher.refresh()
    assert watcher.running is not None
    assert watcher.running.experiment.share_at(AT.timestamp()) == 0.3


def test_no_experiment_begins_before_the_live_release_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, asked_at_reads, file = list[bool](), list[int](), file_of(tmp_path)

    def may_begin() -> bool:
        asked.append(len(asked) >= 3)
        return asked[-1]

    monkeypatch.setattr(ExperimentFile, "content", lambda _: asked_at_reads.append(len(asked)))
    releases, served = OpenReleases(ReleaseStore(file.store.root)), FakeVersions(FakeInterestModel())
    watcher = ExperimentWatcher(releases, served, {}, Metrics(), 0.001, may_begin)
    watcher.start()
    wait_until(lambda: asked_at_reads != [])
    watcher.close()
    assert asked_at_reads[0] == 4


def test_a_failure_of_the_control_arm_is_recorded_too_and_answered_once_more(
    service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = experiment("canary", share=0.5)
    follow(service, started)
    user, rank, failures = user_of(started, "live"), LoadedRelease.rank, [ZeroDivisionError()]

    def fails_once(release: LoadedRelease, query: Query, candidates: Candidates, request: Request) -> Any:
        if failures and request.request_id:  # a prefetch ranks too, without an id
            raise failures.pop()
        return rank(release, query, candidates, request)

    service.client.record(user, "comedy-1", event_type="like")
    monkeypatch.setattr(LoadedRelease, "rank", fails_once)
    answer = service.client.recommend(user, k=3, request_id="r")
    assert [each.stage for each in answer.degraded] == ["experiment"]
    assert (recorded(service, "r").arm, recorded(service, "r").degraded) == ("live", "experiment")


def test_where_an_arm_fails_the_live_release_answers(
    service: RunningService, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    user, rank = follow(service, experiment("canary")), LoadedRelease.rank

    def fails(release: LoadedRelease, *arguments: Any) -> Any:
        if release.version == 2:
            raise ZeroDivisionError
        return rank(release, *arguments)

    service.client.record(user, "comedy-1", event_type="like")
    monkeypatch.setattr(LoadedRelease, "rank", fails)
    monkeypatch.setattr(arm_answers.logger, "filters", [])  # another test may have logged in this second
    answer = service.client.recommend(user, k=3, request_id="r")
    assert answer.release_version == 1
    assert len(answer.recommendations) == 3
    assert [(each.stage, each.fallback) for each in answer.degraded] == [("experiment", "live_release")]
    assert (recorded(service, "r").arm, recorded(service, "r").degraded) == ("candidate", "experiment")
    assert "arm candidate of experiment e failed" in caplog.text
