"""The model registry: one registered model in MLflow, its versions, aliases and tags.

MLflow keeps no history of aliases and tags: the tags of a version say what was decided last, and the
ReviewHistory what was decided ever.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from components.errors import StepError
from components.mlflow_client import connect
from components.register_release.review_history import Act, ReviewHistory

CANDIDATE = "candidate"  # the newest version, until it is reviewed
LIVE = "live"  # the version that the recommender serves

# Versions per call of MLflow.
PAGE_SIZE = 200

# The value of the tag `review`.
WAITING, APPROVED, REJECTED, FAILED = "waiting", "approved", "rejected", "failed its smoke test"

_ACTS = {APPROVED: Act.APPROVED, REJECTED: Act.REJECTED, FAILED: Act.SMOKE_TEST_FAILED}


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
    """Reads and changes the versions of one registered model."""

    def __init__(self, tracking_uri: str, model_name: str, history_url: str) -> None:
        """`history_url`: SQLAlchemy URL of the database of the review history."""
        self.client = connect(tracking_uri)
        self.model_name = model_name
        self.history = ReviewHistory(history_url, model_name)

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
        self.point(CANDIDATE, int(entry.version))
        return int(entry.version)

    def versions(self) -> list[Version]:
        """Return all versions, newest first."""
        aliases, entries = self._aliases(), self._entries()
        return sorted((_version(entry, aliases) for entry in entries), key=lambda v: -v.number)

    def version(self, number: int) -> Version:
        """Return one version.

        Raises:
            StepError: there is no such version.
        """
        versions = {version.number: version for version in self.versions()}
        if number not in versions:
            existing = ", ".join(map(str, sorted(versions))) or "none; train one with `penchant run`"
            raise StepError(
                f"no version {number} of {self.model_name} in the registry; there are: {existing}"
            )
        return versions[number]

    def decide(
        self, number: int, review: str, by: str, reason: str = "", last_seen: int | None = None
    ) -> None:
        """Store a decision about a version in the history and in its tags; it is no longer the candidate.

        The tag `review` comes last: before it the version has no decision, so a killed one is repeated.

        Args:
            last_seen: see ReviewHistory.append.

        Raises:
            StepError: somebody else has decided about the version since `last_seen`.
        """
        if review in _ACTS:
            figures = _figures(self.version(number).tags)
            self.history.append(_ACTS[review], number, by, reason, figures=figures, last_seen=last_seen)
        if review != WAITING and self._aliases().get(CANDIDATE) == number:
            self.client.delete_registered_model_alias(self.model_name, CANDIDATE)
        tags = {"reviewed_by": by, "review_reason": reason, "reviewed_at": _now(), "review": review}
        for key, value in tags.items():
            self.client.set_model_version_tag(self.model_name, str(number), key, value)

    def point(self, alias: str, number: int) -> None:
        """Let an alias refer to a version."""
        self.client.set_registered_model_alias(self.model_name, alias, str(number))
        if alias == LIVE:
            self.client.set_model_version_tag(self.model_name, str(number), "went_live_at", _now())

    def download(self, number: int, directory: Path) -> Path:
        """Download a release (the folders `interest` and `ranking`) below `directory`; return its path."""
        from mlflow.artifacts import download_artifacts

        uri = self.client.get_model_version_download_uri(self.model_name, str(number))
        target = download_artifacts(
            artifact_uri=uri, dst_path=str(directory), tracking_uri=self.client.tracking_uri
        )
        return Path(target) / "data" / "release"

    def _entries(self) -> list[ModelVersion]:
        """Return all pages of MLflow's versions."""
        query, entries, token = f"name='{self.model_name}'", [], None
        while True:
            page = self.client.search_model_versions(query, max_results=PAGE_SIZE, page_token=token)
            entries += page
            token = page.token
            if not token:
                return entries

    def _aliases(self) -> dict[str, int]:
        try:
            aliases = self.client.get_registered_model(self.model_name).aliases
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return {}
        return {alias: int(number) for alias, number in aliases.items()}


def _version(entry: ModelVersion, aliases: dict[str, int]) -> Version:
    number = int(entry.version)
    return Version(
        number=number,
        run_id=entry.run_id,
        created_at=entry.creation_timestamp / 1000,
        aliases=sorted(alias for alias, target in aliases.items() if target == number),
        tags=dict(entry.tags),
    )


def _figures(tags: dict[str, str]) -> dict[str, Any]:
    """Return the tags of a version that do not come from a decision."""
    return {name: value for name, value in tags.items() if not name.startswith("review") and value}


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
