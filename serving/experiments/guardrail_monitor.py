"""Stops a canary when a guardrail says so: in this process at once, and in all by the experiment file.

Each worker reads the outcomes of all of them, and so comes to the same decision without an election. What is
decided is the same after a restart, because it starts again from the first answer of the canary.
"""

import logging
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Final, Protocol

from serving.errors import Unavailable
from serving.experiments.experiment import Act, Experiment
from serving.experiments.experiment_file import ExperimentFile
from serving.experiments.guardrails import (
    SETTLE_S,
    Breach,
    CanaryAction,
    CanaryAnswer,
    CanaryGuardrails,
)
from serving.experiments.running_experiment import RunningExperiment
from serving.exposures.experiment_outcomes import ActionRow, AnswerRow, Positions
from serving.process.polling_thread import PollingThread
from serving.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

# Between two reads. A read ends with the rows that were there SETTLE_S ago: by then they are committed in
# order, and this worker knows the share of the users at their time.
PERIOD_S: Final = 1.0

# Of one query: rows of the experiment, and rows that it looks at.
_BATCH: Final = 2_000
_MAX_ROWS: Final = 50_000
_PAUSE_S: Final = 0.01


class Outcomes(Protocol):
    """Implemented by serving.exposures.experiment_outcomes.ExperimentOutcomes."""

    def before(self, time: int, /) -> Positions: ...
    def last(self) -> Positions: ...
    def answers(self, experiment: str, after: int, until: int, limit: int, /) -> list[AnswerRow]: ...
    def actions(self, experiment: str, after: int, until: int, limit: int, /) -> list[ActionRow]: ...


class Stoppable(Protocol):
    """Implemented by serving.experiments.experiment_watcher.ExperimentWatcher."""

    @property
    def running(self) -> RunningExperiment | None: ...
    def halt(self, name: str, /) -> None: ...


class GuardrailMonitor:
    """Reads the outcomes of a canary in a thread while one runs."""

    def __init__(
        self,
        experiments: Stoppable,
        file: ExperimentFile,
        outcomes: Outcomes,
        metrics: Metrics,
        period_s: float = PERIOD_S,
    ) -> None:
        self._experiments, self._file, self._outcomes = experiments, file, outcomes
        self._metrics = metrics
        self._name, self._problem = "", ""
        self._guardrails: CanaryGuardrails | None = None
        self._read = Positions(0, 0)
        self._seen = deque[tuple[float, Positions]]()  # when a row was the last one, oldest first
        self._thread = PollingThread("guardrails", self._poll, period_s)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._thread.close()

    def check(self) -> None:
        """Take what is new into account, and stop the canary if a guardrail is broken."""
        running = self._experiments.running
        if running is None or running.experiment.kind != "canary":
            return
        experiment = running.experiment
        if self._guardrails is None or self._name != experiment.name:
            start = round(experiment.acts[0].at.timestamp() * 1e6)
            self._read = self._outcomes.before(start)
            self._seen.clear()
            self._name, self._guardrails = experiment.name, CanaryGuardrails(experiment)
        self._guardrails.follow(experiment)
        self._seen.append((monotonic(), self._outcomes.last()))
        while self._seen and self._seen[0][0] <= monotonic() - SETTLE_S:
            _, until = self._seen.popleft()
            if breach := self._read_new(experiment, self._guardrails, until):
                self._stop(experiment.name, breach)
                return

    def _read_new(
        self, experiment: Experiment, guardrails: CanaryGuardrails, until: Positions
    ) -> Breach | None:
        canary, name = experiment.arms[1].name, experiment.name
        while (after := self._read.answers) < until.answers:
            end = min(until.answers, after + _MAX_ROWS)
            answers = self._outcomes.answers(name, after, end, _BATCH)
            for row in answers:
                answer = CanaryAnswer(
                    row.user_id, row.timestamp, row.arm == canary, row.degraded, row.latency_us
                )
                if breach := guardrails.answered(answer):
                    return breach
            self._read = self._read._replace(answers=_reached(answers, end))
            self._thread.wait(_PAUSE_S)
        while (after := self._read.actions) < until.actions:
            end = min(until.actions, after + _MAX_ROWS)
            actions = self._outcomes.actions(name, after, end, _BATCH)
            for each in actions:
                action = CanaryAction(each.user_id, each.answered_at, each.arm == canary, each.event_type)
                if breach := guardrails.acted(action):
                    return breach
            self._read = self._read._replace(actions=_reached(actions, end))
            self._thread.wait(_PAUSE_S)
        return None

    def _stop(self, name: str, breach: Breach) -> None:
        self._experiments.halt(name)
        self._metrics.experiment_stops[breach.guardrail].inc()
        logger.warning("canary %s is stopped: guardrail %s: %s", name, breach.guardrail, breach.reason)
        try:
            by = f"guardrail {breach.guardrail}"
            self._file.stop(name, Act(what="stopped", by=by, at=datetime.now(UTC), reason=breach.reason))
        except (Unavailable, OSError, ValueError) as error:  # the other workers stop by themselves
            logger.warning("the stop of canary %s can't be written to the experiment file: %s", name, error)

    def _poll(self) -> None:
        try:
            self.check()
            self._problem = ""
        except Exception as error:  # the guardrails go on when the log is back
            self._metrics.guardrail_failures.inc()
            if str(error) != self._problem:
                logger.warning("guardrails can't read what happened: %s", error)
            self._problem = str(error)


def _reached(rows: Sequence[AnswerRow | ActionRow], end: int) -> int:
    """Return up to which position a read came that looked for a batch of rows up to `end`."""
    return rows[-1].position if len(rows) == _BATCH else end
