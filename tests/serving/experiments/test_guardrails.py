"""The guardrails of a canary: what they watch, when they stop it, and how seldom for nothing."""

import random
from pathlib import Path
from typing import get_args

import pytest

from serving.client import Recommender
from serving.errors import Unavailable
from serving.experiments import guardrail_monitor
from serving.experiments.guardrail_monitor import GuardrailMonitor
from serving.experiments.guardrail_test import GuardrailTest
from serving.experiments.guardrails import (
    SETTLE_S,
    Breach,
    CanaryAction,
    CanaryAnswer,
    CanaryGuardrails,
    Name,
)
from serving.experiments.running_experiment import RunningExperiment
from serving.exposures.experiment_outcomes import ActionRow, AnswerRow, Positions
from serving.telemetry.metrics import GUARDRAILS, Metrics
from tests.patience import wait_until
from tests.serving.experiments.experiments import AT, experiment, file_of, follow, user_of
from tests.serving.service import running

NOW_US = round((AT.timestamp() + 2 * SETTLE_S) * 1e6)


def test_the_wealth_of_a_bet_by_hand() -> None:
    """With half of the users, a rate r times as high has probability r / (1 + r) in the canary."""
    test = GuardrailTest(1.0, too_many=True)
    for in_canary in (True, True, True, False):
        test.add(in_canary, 0.5)
    ratios = (1.1, 1.25, 1.5, 2.0, 4.0, 10.0)
    wealth = sum((2 * r / (1 + r)) ** 3 * 2 / (1 + r) for r in ratios) / len(ratios)
    assert wealth > 1
    assert test.p_value == pytest.approx(1 / wealth)
    assert (test.canary, test.expected, test.total) == (3, 2.0, 4)


@pytest.mark.parametrize(("accepted", "too_many"), [(1.0, True), (1.0, False), (1.5, True), (0.8, False)])
def test_false_alarms_at_the_accepted_ratio_are_rarer_than_stated(accepted: float, too_many: bool) -> None:
    rng, share, alarms = random.Random(1), 0.2, 0
    probability = accepted * share / (accepted * share + 1 - share)
    for _ in range(200):
        test, smallest = GuardrailTest(accepted, too_many), 1.0
        for _ in range(150):
            test.add(rng.random() < probability, share)
            smallest = min(smallest, test.p_value)
        alarms += smallest <= 0.1
    assert alarms <= 30  # 20 expected at most, and more than two standard deviations


def break_with(guardrails: CanaryGuardrails, name: str, share: float) -> Breach | None:
    """Let an event happen to the users of a canary, or for clicks to the others, at nine out of ten."""
    rng = random.Random(2)
    for number in range(400):
        user, in_canary = f"u{number}", rng.random() < share
        if in_canary == (name == "clicks") or rng.random() > 0.9:
            continue
        if kind := {"clicks": "click", "dismissals": "hide"}.get(name):
            breach = guardrails.acted(CanaryAction(user, NOW_US, in_canary, kind))
        else:
            degraded = {"errors": "experiment", "degraded": "interest,ranking"}.get(name, "")
            latency_us = 900_000 if name == "slow" else 1_000
            breach = guardrails.answered(CanaryAnswer(user, NOW_US, in_canary, degraded, latency_us))
        if breach:
            return breach
    return None


@pytest.mark.parametrize("name", ["errors", "slow", "degraded", "dismissals", "clicks"])
def test_each_guardrail_stops_what_it_watches_and_says_why(name: str) -> None:
    breach = break_with(CanaryGuardrails(experiment("canary", share=0.3)), name, 0.3)
    assert breach is not None
    assert breach.guardrail == name
    assert "users with one are in the canary, where " in breach.reason


def test_a_user_counts_once_and_an_event_without_a_meaning_never() -> None:
    guardrails = CanaryGuardrails(experiment("canary", share=0.3))
    for number in range(200):
        assert guardrails.acted(CanaryAction("u", NOW_US, True, "hide")) is None
        for kind in ("useful", "rate", "pause", "unheard of"):
            assert guardrails.acted(CanaryAction(f"u{number}", NOW_US, True, kind)) is None


def test_a_guardrail_that_is_off_stops_nothing() -> None:
    guardrails = CanaryGuardrails(experiment("canary", share=0.3, guardrails={"errors": None}))
    assert break_with(guardrails, "errors", 0.3) is None


def test_what_happens_right_after_a_change_of_the_share_does_not_count() -> None:
    guardrails = CanaryGuardrails(experiment("canary", share=0.3))
    at = round((AT.timestamp() + SETTLE_S / 2) * 1e6)
    failed = [CanaryAnswer(f"u{number}", at, True, "experiment", 1) for number in range(200)]
    assert [guardrails.answered(each) for each in failed] == [None] * 200


def test_each_guardrail_is_counted_from_the_start() -> None:
    registry = Metrics().registry
    stops = [
        registry.get_sample_value("penchant_experiment_stops_total", {"guardrail": name})
        for name in GUARDRAILS
    ]
    assert stops == [0] * len(get_args(Name))
    assert set(GUARDRAILS) == set(get_args(Name))


class Outcomes:
    """A log with nothing of the experiment in its first rows; fails while `broken`."""

    def __init__(self) -> None:
        self.end, self.broken, self.reads = 120_000, False, list[tuple[int, int]]()

    def before(self, _: int) -> Positions:
        return Positions(0, 0)

    def last(self) -> Positions:
        if self.broken:
            raise Unavailable("statement timeout")
        return Positions(self.end, 0)

    def answers(self, _: str, after: int, until: int, limit: int) -> list[AnswerRow]:
        self.reads.append((after, until))
        return []

    def actions(self, *_: object) -> list[ActionRow]:
        raise AssertionError("there is no interaction")


def watched(root: Path, outcomes: Outcomes, metrics: Metrics) -> GuardrailMonitor:
    class Running:
        running = RunningExperiment(experiment("canary", share=0.5), {}, {})

        def halt(self, name: str) -> None: ...

    return GuardrailMonitor(Running(), file_of(root), outcomes, metrics, period_s=0.001)


@pytest.mark.usefixtures("without_delay")
def test_rows_of_other_requests_are_read_once_and_in_parts(tmp_path: Path) -> None:
    outcomes = Outcomes()
    monitor = watched(tmp_path, outcomes, Metrics())
    for outcomes.end in (120_000, 120_000, 120_007):
        monitor.check()
    assert outcomes.reads == [(0, 50_000), (50_000, 100_000), (100_000, 120_000), (120_000, 120_007)]


def test_an_outcome_is_read_once_every_worker_knows_the_share_of_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes, now = Outcomes(), 1000.0
    monkeypatch.setattr(guardrail_monitor, "monotonic", lambda: now)
    monitor = watched(tmp_path, outcomes, Metrics())
    monitor.check()
    now += SETTLE_S - 0.1
    monitor.check()
    assert outcomes.reads == []
    now += 0.2
    monitor.check()
    assert outcomes.reads[-1] == (100_000, 120_000)


def test_guardrails_that_can_not_read_are_counted_and_go_on(tmp_path: Path) -> None:
    outcomes, metrics = Outcomes(), Metrics()
    outcomes.broken = True
    monitor = watched(tmp_path, outcomes, metrics)
    monitor.start()
    wait_until(lambda: (metrics.registry.get_sample_value("penchant_guardrail_failures_total") or 0) > 1)
    monitor.close()


@pytest.fixture
def without_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guardrail_monitor, "SETTLE_S", 0.0)


def dismiss(client: Recommender, user: str) -> None:
    """Let a user dismiss what release 2 shows."""
    answer = client.recommend(user, k=1)
    if answer.release_version == 2:
        answer.dismiss(answer.recommendations[0])


@pytest.mark.usefixtures("without_delay")
def test_a_canary_whose_answers_are_dismissed_stops_and_everybody_gets_the_live_release(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    started = experiment("canary", share=0.5)
    with running(tmp_path, versions=(1, 2)) as service:
        user = follow(service, started)
        for number in range(25):
            dismiss(service.client, user_of(started, "candidate", number))
        wait_until(lambda: "canary e is stopped: guardrail dismissals" in caplog.text)
        assert service.client.recommend(user, k=1).release_version == 1
    stopped = file_of(tmp_path).read()
    assert stopped is not None
    assert (stopped.acts[-1].what, stopped.acts[-1].by) == ("stopped", "guardrail dismissals")
    assert "users with one are in the canary" in stopped.acts[-1].reason


@pytest.mark.usefixtures("without_delay")
def test_a_canary_stops_in_each_process_where_the_file_cannot_be_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = experiment("canary", share=0.5)
    with running(tmp_path, versions=(1, 2)) as service:
        user = follow(service, started)

        def read_only(*_: object) -> None:
            raise OSError("Read-only file system")

        monkeypatch.setattr("serving.experiments.experiment_file.ExperimentFile.stop", read_only)
        for number in range(25):
            dismiss(service.client, user_of(started, "candidate", number))
        wait_until(lambda: "can't be written to the experiment file: Read-only" in caplog.text)
        assert service.client.recommend(user, k=1).release_version == 1
    still = file_of(tmp_path).read()
    assert still is not None
    assert still.is_running
