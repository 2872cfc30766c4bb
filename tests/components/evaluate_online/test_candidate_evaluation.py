"""A release is evaluated on what another one showed: the same release earns what was logged."""

import asyncio
import re
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.evaluate_online import candidate_evaluation, click_calibration, explored_answers
from components.evaluate_online.candidate_estimates import CandidateEvaluation
from components.evaluate_online.candidate_evaluation import evaluate_candidate
from components.evaluate_online.click_calibration import score_shown_items
from components.evaluate_online.clicked_answers import Clicks, clicked_answers, key_of
from components.evaluate_online.explored_answers import ExploredAnswers
from components.evaluate_online.off_policy import NoSupport
from components.evaluate_online.off_policy_options import OffPolicyOptions
from components.evaluate_online.online_report import Attribution, evaluate_online
from feature_repo.attributes import Attributes
from feature_repo.histories import History
from serving.answers import Answer, Basis
from serving.api.validation import RequestLimits
from serving.exposures.exposure import Exposure
from serving.exposures.exposure_store import ExposureStore
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.scenarios import load_scenarios
from serving.release.arrays import FloatArray
from serving.release.release_store import ReleaseStore
from serving.replay.replayer import Replayer
from tests.patience import wait_until
from tests.serving.planted import FakeInterestModel
from tests.serving.service import FakeFeatures, RunningService, running

SCENARIOS = """
[explore]
exploration = { method = "plackett_luce", share = 0.8, temperature = 3.0, pool = 8 }
"""
ANSWERS = 120
NO_WAREHOUSE = "/no/warehouse"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service that has answered 40 users three times, who clicked each first comedy."""
    root = tmp_path_factory.mktemp("candidate")
    (root / "scenarios.toml").write_text(SCENARIOS)
    with running(root, scenarios=root / "scenarios.toml") as service:
        for number in range(40):
            service.client.record(f"u{number}", f"comedy-{number % 20}", event_type="like")
            service.client.record(f"u{number}", f"horror-{number % 17}", event_type="like")
        for number in range(ANSWERS):
            answer = service.client.recommend(f"u{number % 40}", k=2, scenario="explore")
            if answer.recommendations[0].categories == ["Comedy"]:
                answer.click(answer.recommendations[0])
        wait_until(lambda: len(explored(service)) == ANSWERS)
        yield service


def no_past(snapshot: int, release: int, users: Collection[str]) -> FakeFeatures:
    return FakeFeatures()


def evaluated(
    service: RunningService, scenario: str = "explore", again: Sequence[Exposure] = ()
) -> CandidateEvaluation:
    """Evaluate the live release; `again` holds answers to requests that were answered before."""
    return evaluated_on(service, [*explored(service), *again], clicks_of(service), scenario)


def evaluated_on(
    service: RunningService,
    shown: Sequence[Exposure],
    clicks: Clicks,
    scenario: str = "explore",
    **options: float,
) -> CandidateEvaluation:
    replayer = replayer_of(service)
    values = OffPolicyOptions(replayer.scenarios, **options)  # type: ignore[arg-type]
    return asyncio.run(evaluate_candidate(shown, clicks, replayer, release_of(service), scenario, values))


def replayer_of(service: RunningService) -> Replayer:
    scenarios = load_scenarios(service.root / "scenarios.toml")
    return Replayer(
        service.features, no_past, service.log, service.exposures, service.model, scenarios, RequestLimits()
    )


def release_of(service: RunningService) -> LoadedRelease:
    return LoadedRelease(ReleaseStore(str(service.root / "releases")).open(1))


def clicks_of(service: RunningService) -> Clicks:
    return clicked_answers(url(service), NO_WAREHOUSE, 0, time.time_ns() // 1000)


def explored(service: RunningService) -> list[Exposure]:
    shown = service.exposures.between(0, 1 << 62)
    return [each for batch in shown for each in batch if each.scenario == "explore"]


def url(service: RunningService) -> str:
    return f"sqlite:///{service.root}/interaction_log.db"


def test_the_same_release_earns_what_was_logged(service: RunningService) -> None:
    candidate = evaluated(service)
    assert candidate.left_out == {}
    assert 0 < candidate.live < 1
    assert candidate.evaluation.answers == ANSWERS
    assert candidate.evaluation.effective == pytest.approx(ANSWERS)
    for each in candidate.evaluation.estimates:
        assert each.value == pytest.approx(candidate.live)
        assert each.low < candidate.live < each.high


@pytest.mark.parametrize("scenario", ["explore", "email"])
def test_an_answer_to_a_request_that_was_answered_again_is_left_out(
    service: RunningService, scenario: str
) -> None:
    """The clicks of its request id are those of the last answer, which may have another length."""
    first = explored(service)[0]
    shorter = replace(first, item_ids=first.item_ids[:1], propensities=[1.0], scenario=scenario)
    candidate = evaluated(service, again=[shorter])
    assert candidate.evaluation.answers == ANSWERS - 1
    reason = "the request was answered again, with another number of items"
    assert candidate.left_out == ({reason: 1} if scenario == "explore" else {})


def test_answers_that_are_left_out_are_counted_by_reason(
    service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = explored(service)
    clicks = dict(clicks_of(service))
    del clicks[key_of(shown[2])]
    clicks[key_of(shown[1])] = [0.0]
    shown[1] = replace(shown[1], item_ids=shown[1].item_ids[:1], propensities=[1.0])
    shown[3] = replace(shown[3], basis="trending")
    shown[4] = replace(shown[4], request=b"")
    shown[5] = replace(shown[5], item_ids=[], propensities=[])
    del clicks[key_of(shown[5])]  # which it never had
    left_out = {
        "the answer did not have 2 items, as most do": 1,
        "the user is a bot by the rules of the validation": 1,
        "the answer was based on no history": 1,
        "the answer had no items": 1,
        "the request was longer than 16 KB, and so it was not kept": 1,
    }
    candidate = evaluated_on(service, shown, clicks)
    assert (candidate.left_out, candidate.evaluation.answers) == (left_out, ANSWERS - 5)
    reasons = "; ".join(f"1 answer: {reason}" for reason in left_out)
    with pytest.raises(NoSupport, match=re.escape(f"(left out: {reasons})")):
        evaluated_on(service, shown, clicks, min_effective=1_000)

    async def cold_starts(*arguments: Any) -> list[object]:
        result = arguments[-1]
        return [result(each, Answer([], 1, "r", Basis.TRENDING)) for each in arguments[1]]

    monkeypatch.setattr(candidate_evaluation, "replay_all", cold_starts)
    with pytest.raises(NoSupport, match="116 answers: the release knows no item of the history"):
        evaluated_on(service, shown, clicks)


def test_answers_that_cannot_be_used_do_not_decide_how_many_items_are_usual(service: RunningService) -> None:
    shown = explored(service)
    empty = [replace(each, item_ids=[], propensities=[]) for each in shown[40:]]
    every = clicks_of(service)
    clicks = {key_of(each): every[key_of(each)] for each in shown[:40]}
    candidate = evaluated_on(service, [*shown[:40], *empty], clicks, min_effective=1)
    assert candidate.evaluation.answers == 40
    assert candidate.left_out == {"the answer had no items": ANSWERS - 40}


def test_the_log_says_what_the_calibration_leaves_out(
    service: RunningService, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = explored(service)
    clicks = dict(clicks_of(service))
    del clicks[key_of(shown[2])]
    shown[3] = replace(shown[3], basis="trending")
    shown[4] = replace(shown[4], request=b"")
    monkeypatch.setattr(click_calibration, "_RANKED", 3)
    scored = asyncio.run(score_shown_items(shown, clicks, replayer_of(service), release_of(service)))
    items = len(scored.clicked)
    assert 0 < items < 2 * (ANSWERS - 3)
    assert capsys.readouterr().out.splitlines() == [
        "» click calibration leaves out 1 answer: the user is a bot by the rules of the validation",
        "» click calibration leaves out 1 answer: the answer was based on no history",
        "» click calibration leaves out 1 answer: the request was longer than 16 KB, and so it was not kept",
        f"» click calibration leaves out {234 - items} of 234 shown items: the release does not have them "
        "among its best 3",
    ]


def test_the_clicks_of_some_answers_are_those_among_all(service: RunningService) -> None:
    every, few = clicks_of(service), explored(service)[3:9]
    some = clicked_answers(url(service), NO_WAREHOUSE, 0, time.time_ns() // 1000, answers=few)
    assert some == {key_of(each): every[key_of(each)] for each in few}
    assert len(some) == 6


def test_answers_that_two_releases_gave_together_are_not_the_live_one_s(
    service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = explored(service)
    mixed = [replace(each, credits=(-1.0, 1.0)) for each in shown]
    monkeypatch.setattr(ExposureStore, "between", lambda *_: iter([mixed]))
    with pytest.raises(NoSupport, match="0 answers of the live version were explored"):
        before_registration(service)


def test_only_a_scenario_that_explores_can_be_evaluated(service: RunningService) -> None:
    with pytest.raises(ValueError, match="scenario 'email': expected one that explores, which are explore"):
        evaluated(service, "email")


def test_the_report_attributes_what_the_client_recorded(service: RunningService, tmp_path: Path) -> None:
    report = evaluate_online(url(service), str(tmp_path), 0, time.time_ns() // 1000, Attribution())
    clicks = sum(map(sum, clicks_of(service).values()))
    assert report.events.by_request == clicks > 0


class LocalModel:
    """The service's fake interest model, as evaluate_release opens a SavedModel."""

    def __init__(self, directory: Path) -> None:
        self._model = FakeInterestModel()

    def __enter__(self) -> "LocalModel":
        return self

    def __exit__(self, *_: object) -> None: ...

    def interest(self, histories: Sequence[History], users: Sequence[Attributes]) -> FloatArray:
        return np.stack([self._model.mean(history) for history in histories])


def before_registration(service: RunningService, live: int | None = 1, **options: Any) -> CandidateEvaluation:
    """What evaluate_release finds out about a candidate that equals the live release."""
    scenarios = load_scenarios(service.root / "scenarios.toml")
    answers = ExploredAnswers(
        url(service), NO_WAREHOUSE, OffPolicyOptions(**{"scenarios": scenarios} | options)
    )
    return answers.evaluate(ReleaseStore(str(service.root / "releases")).open(1), Path("unused"), 0, live)


def test_a_candidate_is_evaluated_before_it_is_registered(
    service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{explored_answers.__name__}.SavedInterestModel", LocalModel)
    candidate = before_registration(service)
    assert candidate.evaluation.effective == pytest.approx(ANSWERS)
    clicks = candidate.as_evidence()
    assert (clicks.scenario, clicks.answers) == ("explore", ANSWERS)
    assert clicks.candidate == pytest.approx(clicks.live)
    assert clicks.difference == pytest.approx((0, 0), abs=1e-9)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            {"min_effective": 1_000},
            "120 answers of the live version were explored in the last 7 days .* at least 1000 are needed",
        ),
        ({"days": 1e-9}, "0 answers of the live version were explored"),
        ({"live": 2}, "0 answers of the live version were explored"),
        ({"live": None}, "no version is live, so there are no answers to compare with"),
        ({"scenarios": {}}, "no scenario explores"),
    ],
)
def test_answers_that_can_not_tell_are_refused_with_the_reason(
    service: RunningService, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(NoSupport, match=reason):
        before_registration(service, **options)


def test_options_pass_through_a_pipeline_unchanged(service: RunningService) -> None:
    options = OffPolicyOptions(load_scenarios(service.root / "scenarios.toml"), days=2.5, answers=300)
    assert OffPolicyOptions.from_json(options.to_json()) == options
    assert OffPolicyOptions.from_json("").days == 0


def test_click_probabilities_are_calibrated_on_clicks_where_there_are_enough(
    service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{explored_answers.__name__}.SavedInterestModel", LocalModel)
    monkeypatch.setattr(explored_answers, "fit_on_clicks", lambda shown: {"clicks": shown.clicked.sum()})
    release = ReleaseStore(str(service.root / "releases")).open(1)
    clicks = sum(map(sum, clicks_of(service).values()))

    def calibration(least: int) -> dict[str, Any]:
        scenarios = load_scenarios(service.root / "scenarios.toml")
        options = OffPolicyOptions(scenarios, calibration_clicks=least)
        return ExploredAnswers(url(service), NO_WAREHOUSE, options).calibration(release, Path("unused"), 0)

    assert calibration(int(clicks)) == {"clicks": clicks}
    with pytest.raises(NoSupport, match=f"{int(clicks)} clicks were on answers later than the training data"):
        calibration(int(clicks) + 1)
