"""Evaluates a candidate, before it is registered, on the answers that the live version explored."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import Any, Final

from components.errors import StepError
from components.evaluate_online.candidate_estimates import CandidateEvaluation
from components.evaluate_online.candidate_evaluation import evaluate_candidate
from components.evaluate_online.click_calibration import fit_on_clicks, score_shown_items
from components.evaluate_online.clicked_answers import Clicks, clicked_answers
from components.evaluate_online.last_answers import last_answers
from components.evaluate_online.left_out import report_left_out
from components.evaluate_online.off_policy import NoSupport
from components.evaluate_online.off_policy_options import OffPolicyOptions
from components.ingest_interactions.warehouse.recorded_interactions import log_exists
from components.saved_model import SavedInterestModel
from feature_repo.attributes import Attributes
from feature_repo.histories import History
from serving.api.validation import RequestLimits
from serving.errors import Unavailable
from serving.exposures.exposure import Exposure
from serving.exposures.exposure_store import ExposureStore
from serving.online_store.past_features import PastFeatures
from serving.ranking.loaded_release import LoadedRelease
from serving.release.arrays import FloatArray
from serving.release.ranking_data import Ranking
from serving.replay.past_stores import NoFeatures
from serving.replay.replayer import Replayer
from serving.user_data.interaction_log import InteractionLog

_DAY_US: Final = 86_400_000_000
# The recommender has checked each request against its own.
_LIMITS: Final = RequestLimits(1 << 20, 1 << 20, 1 << 20, 1 << 20)


@dataclass(frozen=True)
class ExploredAnswers:
    """The answers that were explored, what users did with them, and the features behind them."""

    interaction_log: str  # URL
    warehouse: str  # a directory or an fsspec URL
    options: OffPolicyOptions

    def evaluate(
        self, candidate: Ranking, saved_model: Path, trained_until: int, live: int | None
    ) -> CandidateEvaluation:
        """Return the candidate's estimates on the scenario with the most explored answers.

        Args:
            live: the version whose answers are used, and whose clicks the candidate is compared with; those
                of former versions, of the other arms of an experiment and interleaved ones are not used.
            trained_until: µs; only later answers are used, whose clicks the candidate has not learned.

        Raises:
            NoSupport: the answers can't tell; the message says why.
            StepError: the log can't be read.
        """
        least = max(1, self.options.min_effective)
        if not self.options.exploring:
            raise NoSupport("no scenario explores")
        if live is None:
            raise NoSupport("no version is live, so there are no answers to compare with")

        def is_of_live(shown: Exposure) -> bool:
            return (
                shown.scenario in self.options.exploring
                and shown.release_version == live
                and not shown.credits
            )

        with self._opened(saved_model, trained_until, is_of_live) as (shown, replayer):
            if len(shown) < least:
                raise NoSupport(
                    f"{len(shown):,} answers of the live version were explored in the last "
                    f"{self.options.days:g} days and after the candidate's training data, at least {least:g} "
                    "are needed"
                )
            ((scenario, _),) = Counter(each.scenario for each in shown).most_common(1)
            evaluated = asyncio.run(
                evaluate_candidate(
                    shown, self._clicks(shown), replayer, LoadedRelease(candidate), scenario, self.options
                )
            )
        report_left_out("the estimate of clicks", evaluated.left_out)
        return evaluated

    def calibration(self, candidate: Ranking, saved_model: Path, trained_until: int) -> dict[str, Any]:
        """Return the curve of click_calibration.fit_on_clicks.

        Answers of any version and scenario are used; arguments and errors as in `evaluate`.
        """
        with self._opened(saved_model, trained_until, lambda _: True) as (answers, replayer):
            clicks = self._clicks(answers) if answers else {}
            self._check_clicks(sum(map(sum, clicks.values())), "later than the training data")
            shown = asyncio.run(score_shown_items(answers, clicks, replayer, LoadedRelease(candidate)))
            self._check_clicks(shown.clicked.sum(), "that can be given again")
            return fit_on_clicks(shown)

    def _check_clicks(self, clicks: float, answers: str) -> None:
        least = self.options.calibration_clicks
        if clicks < least:
            raise NoSupport(
                f"{int(clicks):,} clicks were on answers {answers}, at least {least:,} are needed "
                "(PENCHANT_CALIBRATION_CLICKS)"
            )

    @contextmanager
    def _opened(
        self, saved_model: Path, trained_until: int, is_wanted: Callable[[Exposure], bool]
    ) -> Iterator[tuple[Sequence[Exposure], Replayer]]:
        """Yield the newest wanted answers of the window, oldest first, and what answers them again."""
        if not log_exists(self.interaction_log):
            raise NoSupport("nothing was shown yet")
        end = time.time_ns() // 1000
        start = max(trained_until + 1, end - round(self.options.days * _DAY_US))
        exposures, log = ExposureStore(self.interaction_log), InteractionLog(self.interaction_log)
        try:
            answers = last_answers(
                chain.from_iterable(exposures.between(start, end)), is_wanted, self.options.answers
            )
            with ExitStack() as stack:
                yield answers, self._replayer(exposures, log, _LocalModel(saved_model, stack))
        except Unavailable as error:
            raise StepError(f"what was shown can't be read: {error}") from error
        finally:
            exposures.close()
            log.close()

    def _clicks(self, answers: Sequence[Exposure]) -> Clicks:
        window = answers[0].timestamp, answers[-1].timestamp + 1
        now = time.time_ns() // 1000
        return clicked_answers(self.interaction_log, self.warehouse, *window, until=now, answers=answers)

    def _replayer(self, exposures: ExposureStore, log: InteractionLog, model: "_LocalModel") -> Replayer:
        past = partial(PastFeatures, f"{self.warehouse.rstrip('/')}/features")
        return Replayer(NoFeatures(), past, log, exposures, model, self.options.scenarios, _LIMITS)


class _LocalModel:
    """The candidate's interest model in this process, as the recommender's client of the model server.

    Opened at the first call, and closed with `stack`.
    """

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self._directory, self._stack = directory, stack

    @cached_property
    def _model(self) -> SavedInterestModel:
        return self._stack.enter_context(SavedInterestModel(self._directory))

    async def interest(
        self,
        histories: Sequence[History],
        version: int | None,
        timeout_s: float,
        users: Sequence[Attributes],
    ) -> FloatArray:
        return self._model.interest(histories, users)

    async def advance(self, *_: object) -> FloatArray:
        raise NotImplementedError("no interest states of a candidate are kept")

    async def forecast(self, *_: object) -> FloatArray:
        raise NotImplementedError("an answer needs no forecast")

    async def close(self) -> None: ...
