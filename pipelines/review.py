"""Reviews registered versions: approve, reject, and download the evaluation."""

from dataclasses import asdict
from pathlib import Path

from components.evaluate_release.dossier.registered import Dossier
from components.push_release.publication import unpublish
from components.register_release.model_registry import REJECTED, Registry, Version
from feature_repo.atomic_files import write_text_atomically
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


def write_page(settings: Settings, registry: Registry, dossier: Dossier, name: str) -> Path:
    """Write the page of a dossier, with all decisions until now, into the home; return the file."""
    file = settings.home / "review" / f"{name}.html"
    file.parent.mkdir(exist_ok=True)
    decisions = [asdict(record) for record in reversed(registry.history.records())]
    write_text_atomically(file, dossier.render(decisions))
    return file


def compare(registry: Registry, before: int, after: int) -> Dossier:
    """Compare two registered versions.

    Raises:
        StepError: there is no such version, or it was registered without what a comparison needs.
    """
    from components.evaluate_release.dossier.version_comparison import compare_versions

    runs = [(number, registry.version(number).run_id) for number in (before, after)]
    return compare_versions(registry.client, runs[0], runs[1])


def download_evaluation(registry: Registry, version: Version, directory: Path) -> list[Path]:
    """Download the evaluation of a version into `directory`; return its files, none if they are pruned."""
    if not registry.client.list_artifacts(version.run_id, "evaluation"):
        return []
    registry.client.download_artifacts(version.run_id, "evaluation", str(directory))
    return sorted(path for path in directory.rglob("*") if path.is_file())
