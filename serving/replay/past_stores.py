"""What the stages read while an answer is given again: the stores as they were then, and one release."""

from collections import Counter
from collections.abc import Hashable

from feature_repo.interaction import Interaction
from serving.answers import Answer, Degradation
from serving.errors import Unavailable
from serving.exposures.answer_origin import AnswerOrigin
from serving.exposures.exposure import Exposure
from serving.exposures.exposure_rows import from_row, row_of
from serving.exposures.exposure_store import ExposureStore
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.request import Request
from serving.release.arrays import FloatArray
from serving.replay.not_repeatable import NotRepeatable
from serving.user_data.interaction_log import InteractionLog


class RecordedExposure:
    """Keeps the exposure of the answer instead of storing it."""

    exposure: Exposure | None = None

    async def record(
        self, request: Request, answer: Answer, origin: AnswerOrigin, budget_s: float
    ) -> Degradation | None:
        self.exposure = from_row(row_of(request, answer, origin))
        return None


class NoFeatures:
    """A feature store without users: each answer then has the features of its own snapshot."""

    max_read_s = 0.0

    def read(self, user_id: str, known_version: Hashable) -> tuple[Hashable, None]:
        return 0, None


class NoModel:
    """A model server that is down, as it was when the answer was given."""

    async def interest(self, *_: object) -> FloatArray:
        raise Unavailable("the model server did not answer")

    async def advance(self, *_: object) -> FloatArray:
        raise Unavailable("the model server did not answer")

    async def forecast(self, *_: object) -> FloatArray:
        raise Unavailable("the model server did not answer")

    async def close(self) -> None: ...


class OneRelease:
    """The release that answers, whichever is live now."""

    def __init__(self, release: LoadedRelease) -> None:
        self.current: LoadedRelease | None = release

    def live(self) -> LoadedRelease:
        assert self.current
        return self.current


class LogUntil:
    """The interaction log as it was at a time, µs since the epoch."""

    def __init__(self, log: InteractionLog, until: int) -> None:
        self._log, self._until, self.max_read_s = log, until, log.max_read_s

    def since(self, user_id: str, as_of: int) -> list[Interaction]:
        return self._log.since_until(user_id, as_of, self._until)

    def since_ids(self, user_id: str, as_of: int) -> str:
        return "\n".join(interaction.interaction_id for interaction in self.since(user_id, as_of))

    def newest(self, user_id: str, as_of: int) -> list[Interaction]:
        raise NotRepeatable("the user had recorded more since the last run than a history holds")

    def new_items(self, user_id: str, as_of: int) -> list[str]:
        raise NotRepeatable("the user had recorded more since the last run than a history holds")

    def impressions(self, user_id: str, recorded_after: int) -> list[tuple[str, int]]:
        return self._log.impressions_until(user_id, recorded_after, self._until)


class ShownUntil:
    """What was shown until a time, µs since the epoch."""

    def __init__(self, exposures: ExposureStore, until: int) -> None:
        self._exposures, self._until = exposures, until

    def shown(self, user_id: str, after: int, without_request: str) -> Counter[str]:
        return self._exposures.shown(user_id, after, without_request, self._until)
