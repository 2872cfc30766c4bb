"""The guardrails of a canary: which events of its users they watch, and when one of them stops it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from feature_repo.event_types import KNOWN, RATE, Kind
from serving.answers import Stage
from serving.experiments.assignment import position
from serving.experiments.experiment import Experiment
from serving.experiments.guardrail_test import GuardrailTest

Name = Literal["errors", "slow", "degraded", "dismissals", "clicks"]

# Workers follow a new share within this time; what happens meanwhile does not count.
SETTLE_S: Final = 5.0

# The users with an event that are kept; a test that has not decided after these has nothing to find.
MAX_USERS: Final = 200_000

_UNDECIDED: Final = ("useful", "not_useful")


@dataclass(frozen=True, slots=True)
class CanaryAnswer:
    """An answer to a user in either arm of a canary."""

    user_id: str
    timestamp: int  # µs since the epoch
    in_canary: bool
    degraded: str  # as in Exposure
    latency_us: int


@dataclass(frozen=True, slots=True)
class CanaryAction:
    """An interaction with an item of such an answer."""

    user_id: str
    answered_at: int  # µs since the epoch
    in_canary: bool
    event_type: str


@dataclass(frozen=True, slots=True)
class Breach:
    """A guardrail that stops the canary, and the figures."""

    guardrail: Name
    reason: str


class CanaryGuardrails:
    """Watches a canary; each user counts once for each event, at the first one.

    A probability of a false alarm for each guardrail, which sum to that of the experiment (Bonferroni).
    """

    def __init__(self, experiment: Experiment) -> None:
        assert experiment.guardrails
        limits = experiment.guardrails
        self._experiment, self._slow_us = experiment, 1000 * limits.slow_ms
        accepted: dict[Name, float | None] = {
            "errors": limits.errors,
            "slow": limits.slow,
            "degraded": limits.degraded,
            "dismissals": limits.dismissals,
            "clicks": limits.clicks,
        }
        self._tests = {
            name: GuardrailTest(ratio, too_many=name != "clicks")
            for name, ratio in accepted.items()
            if ratio is not None
        }
        self._alpha = limits.false_alarms / max(1, len(self._tests))
        self._users: dict[Name, set[float]] = {name: set() for name in self._tests}

    def follow(self, experiment: Experiment) -> None:
        """Take the shares of the same experiment after a further act."""
        self._experiment = experiment

    def answered(self, answer: CanaryAnswer) -> Breach | None:
        """Take an answer into account; return the guardrail that it breaks."""
        stages = answer.degraded.split(",") if answer.degraded else []
        events: dict[Name, bool] = {
            "errors": Stage.EXPERIMENT in stages,
            "slow": answer.latency_us > self._slow_us,
            "degraded": any(stage != Stage.EXPERIMENT for stage in stages),
        }
        happened = (name for name, has_happened in events.items() if has_happened)
        return self._add(happened, answer.user_id, answer.in_canary, answer.timestamp)

    def acted(self, action: CanaryAction) -> Breach | None:
        """Take an interaction into account; return the guardrail that it breaks."""
        kind, _ = KNOWN.get(action.event_type, (Kind.NEUTRAL, 0.0))
        if action.event_type in (*_UNDECIDED, RATE) or kind not in (Kind.POSITIVE, Kind.NEGATIVE):
            return None
        name: Name = "clicks" if kind is Kind.POSITIVE else "dismissals"
        return self._add(iter([name]), action.user_id, action.in_canary, action.answered_at)

    def _add(self, names: Iterator[Name], user_id: str, in_canary: bool, at: int) -> Breach | None:
        for name in names:
            if name in self._tests and (breach := self._add_user(name, user_id, in_canary, at / 1e6)):
                return breach
        return None

    def _add_user(self, name: Name, user_id: str, in_canary: bool, seconds: float) -> Breach | None:
        users, test = self._users[name], self._tests[name]
        key, share = position(self._experiment.name, user_id), self._experiment.share_at(seconds)
        is_settled = share == self._experiment.share_at(seconds - SETTLE_S)
        if key in users or len(users) >= MAX_USERS or not (is_settled and 0 < share < 1):
            return None
        users.add(key)
        test.add(in_canary, share)
        if test.p_value > self._alpha:
            return None
        return Breach(
            name,
            f"{test.canary:,} of {test.total:,} users with one are in the canary, where "
            f"{test.expected:,.1f} were expected (always-valid p = {test.p_value:.2g})",
        )
