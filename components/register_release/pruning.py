"""Deletes the artifacts of old versions that no longer matter; their records stay."""

import time
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final

from components.errors import StepError
from components.register_release.model_registry import Registry
from components.register_release.registered_version import FAILED, REJECTED, Version
from components.register_release.review_history import Act

DAY_S: Final = 86_400

# The folder of a run with the weights for a warm start: components.train_interest_model.warm_start.FOLDER.
# The evaluation stays: it is small, and the reason of a decision.
BASE_MODEL: Final = "base_model"

# Tags of a version: one that a person sets to keep it, and the time of the pruning.
PINNED: Final = "pinned"
PRUNED_AT: Final = "pruned_at"


def select(registry: Registry, days: float, published: Collection[int]) -> list[Version]:
    """Return the versions to prune, oldest first: rejected or failed ones older than `days`.

    Never one with an alias (live, previous, candidate or a person's own), a published one, or one with the
    tag `pinned`. A version whose pruning was killed is returned again.

    Raises:
        StepError: the registry or the history cannot be reached.
    """
    pruned = {record.version for record in registry.history.records() if record.act == Act.PRUNED}
    oldest = time.time() - days * DAY_S
    return [
        version
        for version in reversed(registry.versions())
        if version.review in (REJECTED, FAILED)
        and version.created_at < oldest
        and version.number not in pruned
        and version.number not in published
        and not version.aliases
        and not version.tags.get(PINNED)
    ]


def prune(registry: Registry, version: Version, by: str) -> None:
    """Delete the release and the weights of a version; its tags, metrics, evaluation and history stay.

    Raises:
        StepError: the artifacts cannot be deleted; a repeat deletes the rest.
    """
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    # First, so that nobody approves a version of which half is deleted.
    registry.tag(version.number, PRUNED_AT, datetime.now(UTC).isoformat(timespec="seconds"))
    uri = registry.client.get_model_version_download_uri(registry.model_name, str(version.number))
    run = registry.client.get_run(version.run_id)
    for artifacts, folder in ((uri, None), (run.info.artifact_uri, BASE_MODEL)):
        try:
            get_artifact_repository(artifacts, registry.tracking_uri).delete_artifacts(folder)
        except Exception as error:  # the errors of the artifact stores have no common base class
            raise StepError(
                f"the artifacts of version {version.number} can't be deleted: {str(error).splitlines()[0]}; "
                "repeat the command when the store is up"
            ) from error
    reason = f"{version.review} by {version.tags.get('reviewed_by')}"
    registry.history.append(Act.PRUNED, version.number, by, reason)
