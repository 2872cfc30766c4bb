"""The model registry: one registered model in MLflow, its versions, aliases and tags.

MLflow keeps no history of aliases and tags: the tags of a version say what was decided last, and the
ReviewHistory what was decided ever.
"""

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, wraps
from pathlib import Path
from typing import Any, Final, TypeVar

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion, RegisteredModel
from mlflow.exceptions import MlflowException

from components.errors import StepError
from components.mlflow_client import connect
from components.register_release.review_history import Act, ReviewHistory
from feature_repo.store_addresses import without_password

CANDIDATE = "candidate"  # the newest version, until it is reviewed
LIVE = "live"  # the version that the recommender serves
PREVIOUS = "previous"  # the version that a rollback makes live

# Tags of the registered model: the id of the last switch that the aliases follow, and the version that this
# module made the candidate. Another alias than they say was set elsewhere.
SWITCH: Final = "penchant.switch"
KNOWN_CANDIDATE: Final = "penchant.candidate"

# Versions per call of MLflow.
PAGE_SIZE = 200

# Characters of a tag's value that MLflow stores.
MAX_TAG: Final = 5_000

# The value of the tag `review`.
WAITING, APPROVED, REJECTED, FAILED = "waiting", "approved", "rejected", "failed its smoke test"

_ACTS = {
    WAITING: Act.INTERRUPTED,
    APPROVED: Act.APPROVED,
    REJECTED: Act.REJECTED,
    FAILED: Act.SMOKE_TEST_FAILED,
}

_Method = TypeVar("_Method", bound=Callable[..., Any])


def _reaches_mlflow(method: _Method) -> _Method:
    """Raise a StepError instead of MLflow's own, with the address and what to do."""

    @wraps(method)
    def call(self: "Registry", *arguments: Any, **options: Any) -> Any:
        try:
            return method(self, *arguments, **options)
        except MlflowException as error:
            where, reason = without_password(self.tracking_uri), str(error).splitlines()[0]
            raise StepError(
                f"the model registry at {where} gave no answer: {reason}; repeat the command when it is up"
            ) from error

    return call  # type: ignore[return-value]


@dataclass(frozen=True)
class Version:
    """A registered release."""

    number: int
    run_id: str
    created_at: float  # seconds since the epoch
    aliases: list[str]
    tags: dict[str, str]

    @property
    def review(self) -> str:
        return self.tags.get("review", WAITING)


class Registry:
    """Reads and changes the versions of one registered model; each method may raise StepError."""

    def __init__(self, tracking_uri: str, model_name: str, history_url: str) -> None:
        """`history_url`: SQLAlchemy URL of the database of the review history."""
        self.tracking_uri, self.model_name = tracking_uri, model_name
        self.history = ReviewHistory(history_url, model_name)

    @cached_property
    def client(self) -> MlflowClient:
        """MLflow's client; with a database it connects at once."""
        return connect(self.tracking_uri)

    @_reaches_mlflow
    def add(self, model_uri: str, model_id: str, run_id: str, tags: dict[str, str]) -> int:
        """Register a logged model as the next version and make it the candidate."""
        try:
            self.client.create_registered_model(self.model_name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        entry = self.client.create_model_version(
            self.model_name,
            source=model_uri,
            run_id=run_id,
            model_id=model_id,
            tags={"review": WAITING, **tags},
        )
        self.history.append(Act.REGISTERED, int(entry.version), f"run {run_id}", figures=tags)
        self.point_candidate(int(entry.version))
        return int(entry.version)

    @_reaches_mlflow
    def versions(self, newest: int | None = None) -> list[Version]:
        """Return all versions, or the `newest` ones; newest first."""
        aliases, entries = self.aliases_and_tags()[0], self._entries(newest)
        return sorted((_version(entry, aliases) for entry in entries), key=lambda v: -v.number)

    @_reaches_mlflow
    def version(self, number: int) -> Version:
        """Return one version.

        Raises:
            StepError: there is no such version.
        """
        try:
            entry = self.client.get_model_version(self.model_name, str(number))
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            existing = _ranges(version.number for version in self.versions())
            raise StepError(
                f"no version {number} of {self.model_name} in the registry; there are: "
                f"{existing or 'none; train one with `penchant run`'}"
            ) from None
        return _version(entry, self.aliases_and_tags()[0])

    @_reaches_mlflow
    def decide(
        self,
        number: int,
        review: str,
        by: str,
        reason: str = "",
        last_seen: int | None = None,
        figures: dict[str, Any] | None = None,
    ) -> None:
        """Store a decision about a version in the history and in its tags; it is no longer the candidate.

        The tags come last: a later command compares them with the history, and completes a killed decision.

        Args:
            last_seen: see ReviewHistory.append.
            figures: what the history keeps beside the metrics.

        Raises:
            StepError: somebody else has decided about the version since `last_seen`.
        """
        known = figures_of(self.version(number).tags) | (figures or {})
        self.history.append(_ACTS[review], number, by, reason, figures=known, last_seen=last_seen)
        self.tag_decision(number, review, by, reason)

    @_reaches_mlflow
    def tag_decision(self, number: int, review: str, by: str, reason: str) -> None:
        """Store a decision that the history has in the version's tags and in the alias `candidate`."""
        candidate = self.aliases_and_tags()[0].get(CANDIDATE)
        if review == WAITING and candidate is None:
            self.point_candidate(number)
        if review != WAITING and candidate == number:
            self.point_candidate(None)
        tags = {"reviewed_by": by, "review_reason": reason, "reviewed_at": _now(), "review": review}
        for key, value in tags.items():
            self.tag(number, key, value)

    def wait(self, number: int, reason: str) -> None:
        """Let a version wait for a decision again, after a promotion that ended before the switch."""
        self.decide(number, WAITING, "penchant", reason)

    @_reaches_mlflow
    def tag(self, number: int, key: str, value: str) -> None:
        """Set a tag of a version."""
        self.client.set_model_version_tag(self.model_name, str(number), key, value[:MAX_TAG])

    @_reaches_mlflow
    def set_alias(self, alias: str, number: int | None) -> None:
        """Let an alias refer to a version, or delete it."""
        if number is not None:
            self.client.set_registered_model_alias(self.model_name, alias, str(number))
        elif alias in self.aliases_and_tags()[0]:
            self.client.delete_registered_model_alias(self.model_name, alias)

    @_reaches_mlflow
    def point_candidate(self, number: int | None) -> None:
        """Let `candidate` refer to a version, or to none."""
        self.set_alias(CANDIDATE, number)
        self.client.set_registered_model_tag(self.model_name, KNOWN_CANDIDATE, str(number or ""))

    @_reaches_mlflow
    def point_live(self, live: int, previous: int | None, switch: str) -> None:
        """Let `live` and `previous` follow a switch; its id comes last, so that a killed call is repeated.

        Args:
            previous: None where a rollback has no target.
        """
        self.set_alias(LIVE, live)
        self.tag(live, "went_live_at", _now())
        self.set_alias(PREVIOUS, previous)
        self.client.set_registered_model_tag(self.model_name, SWITCH, switch)

    @_reaches_mlflow
    def aliases_and_tags(self) -> tuple[dict[str, int], dict[str, str]]:
        """Return alias -> version, and the tags of the registered model."""
        model = self._model()
        if model is None:
            return {}, {}
        return {alias: int(number) for alias, number in model.aliases.items()}, dict(model.tags)

    def known_switch(self) -> str:
        """Return the id of the last switch that the aliases follow, "" for none."""
        return self.aliases_and_tags()[1].get(SWITCH, "")

    def download(self, number: int, directory: Path) -> Path:
        """Download a release (the folders `interest` and `ranking`) below `directory`; return its path.

        Raises:
            StepError: the registry or the artifact store gives no answer, or the artifacts are gone.
        """
        from mlflow.artifacts import download_artifacts

        try:
            uri = self.client.get_model_version_download_uri(self.model_name, str(number))
            target = download_artifacts(
                artifact_uri=uri, dst_path=str(directory), tracking_uri=self.tracking_uri
            )
        except Exception as error:  # the errors of the artifact stores have no common base class
            raise StepError(
                f"version {number} can't be downloaded from the registry's artifact store: "
                f"{str(error).splitlines()[0]}; repeat the command when the store is up"
            ) from error
        return Path(target) / "data" / "release"

    def _entries(self, newest: int | None) -> list[ModelVersion]:
        """Return MLflow's versions, of all pages or the newest ones."""
        query, entries, token = f"name='{self.model_name}'", list[ModelVersion](), None
        while newest is None or len(entries) < newest:
            page = self.client.search_model_versions(
                query,
                max_results=min(PAGE_SIZE, newest or PAGE_SIZE),
                order_by=["version_number DESC"],
                page_token=token,
            )
            entries += page
            token = page.token
            if not token:
                break
        return entries[:newest]

    def _model(self) -> RegisteredModel | None:
        try:
            return self.client.get_registered_model(self.model_name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None


def _version(entry: ModelVersion, aliases: dict[str, int]) -> Version:
    number = int(entry.version)
    return Version(
        number=number,
        run_id=entry.run_id,
        created_at=entry.creation_timestamp / 1000,
        aliases=sorted(alias for alias, target in aliases.items() if target == number),
        tags=dict(entry.tags),
    )


def _ranges(numbers: Iterable[int]) -> str:
    """Return numbers as text, consecutive ones as a range: "1–3, 7"."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][-1] + 1:
            parts[-1][1:] = [number]
        else:
            parts.append([number])
    return ", ".join("–".join(map(str, part)) for part in parts)


def figures_of(tags: dict[str, str]) -> dict[str, Any]:
    """Return the tags of a version that do not come from a decision."""
    return {
        name: value
        for name, value in tags.items()
        if not name.startswith("review") and value and name != "went_live_at"
    }


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
