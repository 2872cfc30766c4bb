"""Reviews registered versions: approve, reject, and download the evaluation."""

from pathlib import Path

from components.push_release.publication import unpublish
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
    return Registry(settings.tracking_uri, settings.model_name, settings.review_history)


def approve(settings: Settings, version: int, by: str, reason: str) -> str:
    """Approve `version`, which overrules a rejection, and run the promotion pipeline; return a message.

    The pipeline stores the approval, so nothing is stored where it can't start.

    Raises:
        StepError: there is no such version.
        RunError: another run uses the home, or the promotion failed; the live version is unchanged.
    """
    open_registry(settings).version(version)
    arguments = promotion_arguments(settings, version, by, reason)
    if settings.kubeflow:
        with connect(settings) as client:
            run_id = KubeflowRuns(client, settings).submit(promotion, arguments)
        return f"the promotion of version {version} was submitted to Kubeflow as run {run_id}"
    run_locally(promotion, settings, arguments)
    return f"version {version} is live"


def reject(settings: Settings, version: int, by: str, reason: str) -> bool:
    """Store the rejection of `version` in the registry; unpublish it, or return True if it is live.

    Raises:
        StepError: there is no such version.
    """
    registry, store = open_registry(settings), ReleaseStore(settings.releases)
    registry.version(version)
    registry.decide(version, REJECTED, by, reason)
    is_live = version == store.live()
    if not is_live:
        unpublish(store, version)
    return is_live


def download_evaluation(registry: Registry, version: Version, directory: Path) -> list[Path]:
    """Download the evaluation of a version into `directory`; return its files."""
    registry.client.download_artifacts(version.run_id, "evaluation", str(directory))
    return sorted(path for path in directory.rglob("*") if path.is_file())
