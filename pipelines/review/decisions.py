"""Reviews registered versions: approve, reject, and download the evaluation."""

from dataclasses import asdict
from pathlib import Path
from typing import Final

from components.evaluate_release.dossier.registered import Dossier
from components.mlflow_client import set_limits
from components.push_release.promotion import check_allowed, check_not_tainted
from components.push_release.publication import unpublish
from components.push_release.switch_records import write_history
from components.register_release.model_registry import Registry
from components.register_release.registered_version import REJECTED, Version
from feature_repo.atomic_files import write_text_atomically
from pipelines.review.local_push import push_here
from pipelines.settings import Settings
from serving.release.release_store import ReleaseStore

# A person waits: one repetition after 0 s, one after 4 s.
_MLFLOW_LIMITS: Final = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "15"}


def open_registry(settings: Settings) -> Registry:
    """Open the model registry of the settings; creates the folders of an embedded one."""
    set_limits(_MLFLOW_LIMITS)
    settings.prepare_home()
    return Registry(settings.tracking_uri, settings.model_name, settings.review_history)


def approve(settings: Settings, version: int, by: str, reason: str, force: bool = False) -> str:
    """Approve `version`, which overrules a rejection, and push it; return a message.

    The push stores the approval, so nothing is stored where it can't start.

    Args:
        force: overrule the release gate, which found the version worse.

    Raises:
        StepError: there is no such version, it learned from an erased user, or the gate found it worse.
        RunError: another run uses the home, or the push failed; the live version is unchanged.
    """
    registry = open_registry(settings)
    store = ReleaseStore(settings.releases)
    last_seen = _last_seen(registry, store)
    check_not_tainted(store, version)
    check_allowed(registry.version(version), by_person=True, force=force)
    if settings.kubeflow:
        return _submit(settings, version, by, reason, force, last_seen)
    push_here(settings, version, by, reason, force, last_seen)
    return f"version {version} is live"


def _last_seen(registry: Registry, store: ReleaseStore) -> int:
    """Return the sequence of the last record that the reviewer may know.

    A switch that a killed command did not record is recorded first: it came before, and must not look like
    one that another person made meanwhile.
    """
    write_history(store, registry.history, late=True)
    return registry.history.last_sequence()


def _submit(settings: Settings, version: int, by: str, reason: str, force: bool, last_seen: int) -> str:
    """Run the promotion pipeline on Kubeflow."""
    from pipelines.kubeflow.connection import connect
    from pipelines.kubeflow.runs import KubeflowRuns
    from pipelines.pipeline_arguments import promotion_arguments
    from pipelines.promotion_pipeline import promotion

    arguments = promotion_arguments(settings, version, by, reason, force, last_seen)
    with connect(settings) as client:
        run_id = KubeflowRuns(client, settings).submit(promotion, arguments)
    return f"the promotion of version {version} was submitted to Kubeflow as run {run_id}"


def reject(settings: Settings, version: int, by: str, reason: str) -> bool:
    """Store the rejection of `version` in the registry; unpublish it, or return True if it is live.

    Raises:
        StepError: there is no such version.
    """
    registry, store = open_registry(settings), ReleaseStore(settings.releases)
    last_seen = _last_seen(registry, store)
    registry.decide(version, REJECTED, by, reason, last_seen)
    is_live = version == store.live()
    if not is_live:
        unpublish(store, version)
    return is_live


def unpublish_rejected(settings: Settings, version: int) -> None:
    """Unpublish a rejected version that a rollback has replaced, so that no rollback brings it back."""
    store = ReleaseStore(settings.releases)
    if version != store.live():
        unpublish(store, version)


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
