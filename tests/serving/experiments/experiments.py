"""Experiments for tests, and the service that follows them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from feature_repo.atomic_files import write_text_atomically
from serving.experiments.assignment import assign
from serving.experiments.experiment import Act, Experiment
from serving.experiments.experiment_file import ExperimentFile
from serving.release.published_versions import PublishedVersions
from tests.patience import wait_until
from tests.serving.service import RunningService

AT = datetime(2026, 11, 1, tzinfo=UTC)
STARTED = Act(what="started", by="ada", at=AT)


def experiment(kind: str, arms: Sequence[dict[str, Any]] = (), **fields: Any) -> Experiment:
    """Return an experiment; by default release 2 against the live one, for all users."""
    arms = arms or [{"name": "live"}, {"name": "candidate", "release": 2}]
    ramp = [] if kind == "ab" else [{"at": AT, "share": fields.pop("share", 1.0)}]
    guardrails: dict[str, Any] | None = {} if kind == "canary" else None
    content = {
        "name": "e",
        "kind": kind,
        "arms": arms,
        "ramp": ramp,
        "guardrails": guardrails,
        "acts": [STARTED],
    }
    return Experiment.model_validate(content | fields)


def halves() -> Experiment:
    """Return an A/B experiment of releases 1 and 2 with all users."""
    arms = [{"name": "old", "release": 1, "share": 0.5}, {"name": "new", "release": 2, "share": 0.5}]
    return experiment("ab", arms)


def file_of(root: Path) -> ExperimentFile:
    return ExperimentFile(PublishedVersions(str(root / "releases")))


def write(root: Path, shown: Experiment) -> None:
    """Write the experiment file, whatever it held before."""
    write_text_atomically(root / "releases" / "experiment.json", shown.model_dump_json())


def user_of(shown: Experiment, arm: str, number: int = 0) -> str:
    """Return the `number`-th user whom the assignment gives an arm."""
    users = (user for user in map("u{}".format, range(10_000)))
    found = [
        user for user in users if (given := assign(shown, user, AT.timestamp() + 1)) and given.name == arm
    ]
    return found[number]


def follow(service: RunningService, started: Experiment, version: int = 2, arm: str = "candidate") -> str:
    """Start an experiment, and wait until a user of an arm gets its release; return the user."""
    user = user_of(started, arm)
    write(service.root, started)
    wait_until(lambda: service.client.recommend(user, k=1).release_version == version)
    return user
