"""Reviews registered versions: approve, reject, roll back, and download the evaluation."""

from pathlib import Path

from components.errors import StepError
from components.register_release.model_registry import REJECTED, Registry, Version
from pipelines.kubeflow.connection import connect
from pipelines.kubeflow.runs import KubeflowRuns
from pipelines.pipeline_arguments import promotion_arguments
from pipelines.promotion_pipeline import promotion
from pipelines.runner import run_locally
from pipelines.settings import Settings
from serving.release.release_store import ReleaseStore


def open_registry(settings: Settings) -> Registry:
    """Open the model registry of the settings; creates the folders of an embedded one."""
    settings.prepare_home()
    return Registry(settings.tracking_uri, settings.model_name)


def approve(settings: Settings, version: int, by: str) -> str:
    """Approve `version`, which overrules a rejection, and run the promotion pipeline; return a message.

    The pipeline stores the approval, so nothing is stored where it can't start.

    Raises:
        StepError: there is no such version.
        RunError: another run uses the home, or the promotion failed; the live version is unchanged.
    """
    open_registry(settings).version(version)
    return _promote(settings, version, by, overrules_rejection=True)


def _promote(settings: Settings, version: int, by: str, overrules_rejection: bool) -> str:
    arguments = promotion_arguments(settings, version, by, overrules_rejection)
    if settings.kubeflow:
        with connect(settings) as client:
            run_id = KubeflowRuns(client, settings).submit(promotion, arguments)
        return f"the promotion of version {version} was submitted to Kubeflow as run {run_id}"
    run_locally(promotion, settings, arguments)
    return f"version {version} is live"


def reject(settings: Settings, version: int, by: str, reason: str) -> str:
    """Store the rejection of `version` in the registry; return a message.

    Raises:
        StepError: there is no such version.
    """
    registry = open_registry(settings)
    registry.version(version)
    registry.decide(version, REJECTED, by, reason)
    return f"version {version} is rejected: {reason}"


def rollback(settings: Settings, by: str) -> str:
    """Approve the version that was live before the current one; return a message.

    Raises:
        LookupError: there is no earlier version.
        StepError: it was rejected since.
    """
    record = ReleaseStore(settings.releases).live_record()
    previous = record.get("previous")
    if previous is None:
        raise LookupError(
            f"nothing to roll back to: no version was live before the current one in {settings.releases}"
        )
    if open_registry(settings).version(previous).review == REJECTED:
        raise StepError(
            f"version {previous} was live before, but it was rejected: "
            f"`penchant review approve {previous}` overrules the rejection"
        )
    by = f"{by}, rolling back {record['version']}"
    return _promote(settings, previous, by, overrules_rejection=False)


def download_evaluation(registry: Registry, version: Version, directory: Path) -> list[Path]:
    """Download the evaluation of a version into `directory`; return its files."""
    registry.client.download_artifacts(version.run_id, "evaluation", str(directory))
    return sorted(path for path in directory.rglob("*") if path.is_file())
