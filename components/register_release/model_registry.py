"""The model registry: one registered model in MLflow, its versions, aliases and tags.

MLflow keeps no history of aliases and tags: the tags of a version say what was decided last, and the
ReviewHistory what was decided ever.
"""

from pathlib import Path
from typing import Any

from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from components.errors import StepError
from components.register_release.registered_model import RegisteredModel, now, reaches_mlflow
from components.register_release.registered_version import (
    APPROVED,
    CANDIDATE,
    FAILED,
    REJECTED,
    WAITING,
    Version,
    figures_of,
    ranges,
    version_of,
)
from components.register_release.review_history import Act, ReviewHistory

# Versions per call of MLflow.
PAGE_SIZE = 200

_ACTS = {
    WAITING: Act.INTERRUPTED,
    APPROVED: Act.APPROVED,
    REJECTED: Act.REJECTED,
    FAILED: Act.SMOKE_TEST_FAILED,
}


class Registry(RegisteredModel):
    """Reads and changes the versions of one registered model; each method may raise StepError."""

    def __init__(self, tracking_uri: str, model_name: str, history_url: str) -> None:
        """`history_url`: SQLAlchemy URL of the database of the review history."""
        super().__init__(tracking_uri, model_name)
        self.history = ReviewHistory(history_url, model_name)

    @reaches_mlflow
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

    @reaches_mlflow
    def versions(self, newest: int | None = None) -> list[Version]:
        """Return all versions, or the `newest` ones; newest first."""
        aliases, entries = self.aliases_and_tags()[0], self._entries(newest)
        return sorted((version_of(entry, aliases) for entry in entries), key=lambda v: -v.number)

    @reaches_mlflow
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
            existing = ranges(version.number for version in self.versions())
            raise StepError(
                f"no version {number} of {self.model_name} in the registry; there are: "
                f"{existing or 'none; train one with `penchant run`'}"
            ) from None
        return version_of(entry, self.aliases_and_tags()[0])

    @reaches_mlflow
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

    @reaches_mlflow
    def tag_decision(self, number: int, review: str, by: str, reason: str) -> None:
        """Store a decision that the history has in the version's tags and in the alias `candidate`."""
        candidate = self.aliases_and_tags()[0].get(CANDIDATE)
        if review == WAITING and candidate is None:
            self.point_candidate(number)
        if review != WAITING and candidate == number:
            self.point_candidate(None)
        tags = {"reviewed_by": by, "review_reason": reason, "reviewed_at": now(), "review": review}
        for key, value in tags.items():
            self.tag(number, key, value)

    def wait(self, number: int, reason: str) -> None:
        """Let a version wait for a decision again, after a promotion that ended before the switch."""
        self.decide(number, WAITING, "penchant", reason)

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
