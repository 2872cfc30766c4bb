"""Answers requests while an experiment runs: by an arm, interleaved, or by the live release with a shadow."""

import logging
import time
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from serving.answers import Answer, Degradation, Fallback, Stage
from serving.deadline import Deadline
from serving.experiments.experiment import Arm
from serving.experiments.interleaving import DEFAULT_METHOD, Interleaved, interleave
from serving.experiments.running_experiment import SPLITS_USERS, RunningExperiment
from serving.exposures.answer_origin import AnswerOrigin
from serving.ranking.candidate_set import SourceBits
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.request import Request
from serving.release.arrays import FloatArray
from serving.telemetry.logs import OncePerSecond
from serving.telemetry.metrics import Metrics
from serving.user_history import UserHistory

logger = logging.getLogger(__name__)
logger.addFilter(OncePerSecond())

Composed = tuple[Answer, AnswerOrigin]

# The arm of an answer that both arms gave together.
INTERLEAVED: Final = "interleaved"

# Without these stages, a ranking is not what the release would show, and no click counts for it.
_INCOMPLETE: Final = (Stage.EXPERIMENT, Stage.INTEREST, Stage.RANKING)


class Compose(Protocol):
    """Returns the answer of one release, and how it came about; `user` saves reading the history again."""

    async def __call__(
        self, release: LoadedRelease, request: Request, deadline: Deadline, user: UserHistory | None = None, /
    ) -> Composed: ...


class ShadowAnswers(Protocol):
    """Implemented by serving.experiments.shadow.Shadow."""

    def offer(
        self, release: LoadedRelease, request: Request, shown: Composed, label: tuple[str, str], /
    ) -> None: ...


@dataclass(frozen=True, eq=False)
class _Places:
    """The places of an interleaved answer; implements serving.exposures.answer_origin.Places."""

    sources: NDArray[SourceBits]
    scores: FloatArray
    propensities: NDArray[np.float64]


class ArmAnswers:
    """Composes the answers of the arms; where an arm fails, the live release answers."""

    def __init__(self, compose: Compose, shadow: ShadowAnswers, metrics: Metrics) -> None:
        self._compose, self._shadow, self._metrics = compose, shadow, metrics

    async def answer(
        self, running: RunningExperiment, live: LoadedRelease, request: Request, deadline: Deadline
    ) -> Composed:
        """Return the answer to a request under a running experiment."""
        arm, kind = running.arm_of(request, live, time.time()), running.experiment.kind
        control = running.experiment.arms[0]
        is_split = kind in SPLITS_USERS
        if arm is None or (arm is control and not is_split):
            return await self._compose(live, request, deadline)
        if is_split:
            return await self._by_arm(running, arm, live, request, deadline)
        if kind == "interleaving":
            return await self._interleave(running, live, request, deadline)
        shown = await self._compose(live, request, deadline)
        name, treated = running.experiment.name, running.request_of(arm, request)
        self._metrics.count_arm_answer(name, control.name, False, shown[1].latency_us / 1e6)
        self._shadow.offer(running.release_of(arm, live), treated, shown, (name, arm.name))
        return shown

    async def _by_arm(
        self,
        running: RunningExperiment,
        arm: Arm,
        live: LoadedRelease,
        request: Request,
        deadline: Deadline,
        user: UserHistory | None = None,
    ) -> Composed:
        release, treated = running.release_of(arm, live), running.request_of(arm, request)
        name = running.experiment.name
        failed = False
        try:
            answer, origin = await self._compose(release, treated, deadline, user)
        # Whatever an arm does wrong, the live release answers; for the control arm once more, because an arm
        # that could not record its failures could not be compared with.
        except Exception:
            logger.exception("arm %s of experiment %s failed", arm.name, name)
            failed = True
            answer, origin = await self._compose(live, request, deadline, user)
            reason = f"arm {arm.name} of experiment {name} failed"
            answer.degraded.append(Degradation(Stage.EXPERIMENT, reason, Fallback.LIVE_RELEASE))
        self._metrics.count_arm_answer(name, arm.name, failed, origin.latency_us / 1e6)
        return answer, replace(origin, experiment=name, arm=arm.name)

    async def _interleave(
        self, running: RunningExperiment, live: LoadedRelease, request: Request, deadline: Deadline
    ) -> Composed:
        first, second = running.experiment.arms
        answer, origin = await self._by_arm(running, first, live, request, deadline)
        other, other_origin = await self._by_arm(running, second, live, request, deadline, origin.user)
        if any(each.stage in _INCOMPLETE for each in (*answer.degraded, *other.degraded)):
            answer.degraded.extend(each for each in other.degraded if each not in answer.degraded)
            return answer, replace(origin, arm=INTERLEAVED)  # without credits: there is nothing to compare
        seed = f"{running.experiment.name}\0{request.user_id}\0{request.request_id}"
        method = running.experiment.method or DEFAULT_METHOD
        mixed = interleave(_item_ids(answer), _item_ids(other), request.k, seed, method)
        return _mixed((answer, origin), (other, other_origin), mixed)


def _item_ids(answer: Answer) -> list[str]:
    return [item.item_id for item in answer.recommendations]


def _mixed(first: Composed, second: Composed, mixed: Interleaved) -> Composed:
    """Return the interleaved answer; what it says besides its items is what the first one said."""
    by_id = [
        {
            item.item_id: (item, score, sources)
            for item, score, sources in zip(
                answer.recommendations, origin.ranked.scores, origin.ranked.sources, strict=True
            )
        }
        for answer, origin in (first, second)
    ]
    rows = [
        by_id[1][item] if credit > 0 or item not in by_id[0] else by_id[0][item]
        for item, credit in zip(mixed.item_ids, mixed.credits, strict=True)
    ]
    places = _Places(
        np.array([sources for _, _, sources in rows], SourceBits),
        np.array([score for _, score, _ in rows], np.float32),
        np.array(mixed.propensities),
    )
    answer, origin = first
    also_degraded = [each for each in second[0].degraded if each not in answer.degraded]
    shown = replace(
        answer,
        recommendations=[item for item, _, _ in rows],
        degraded=[*answer.degraded, *also_degraded],
    )
    origin = replace(origin, latency_us=origin.latency_us + second[1].latency_us, arm=INTERLEAVED)
    return shown, replace(origin, ranked=places, credits=mixed.credits)
