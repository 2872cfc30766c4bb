"""The reviewer's acts on the model registry: list, show, approve, reject, roll back."""

import time
from pathlib import Path
from typing import Any

from rich.table import Table

from components.register_release.registry import REJECTED, Registry, Version
from pipelines.promotion import promotion
from pipelines.runner import run_locally, submit
from pipelines.settings import Settings
from serving.release.release_store import ReleaseStore


def registry_of(settings: Settings) -> Registry:
    settings.prepare_home()
    return Registry(settings.tracking_uri, settings.model_name)


def versions_table(versions: list[Version], live: int | None) -> Table:
    """A row a version, newest first; the live one marked."""
    table = Table("version", "state", "NDCG@10", "HR@10", "gate", "review", "by", "registered (UTC)")
    for version in versions:
        tags = version.tags
        table.add_row(
            str(version.number),
            "live" if version.number == live else ", ".join(a for a in version.aliases if a != "live"),
            tags.get("ndcg_at_10", ""),
            tags.get("hr_at_10", ""),
            tags.get("gate_decision", ""),
            version.review,
            tags.get("reviewed_by", ""),
            _utc(version.created_at),
        )
    return table


def approve(settings: Settings, version: int, by: str) -> str:
    """Run the promotion pipeline for `version`, here or on Kubeflow; says what happened.

    Raises:
        StepError: no such version.
        RunError: the push failed; the version before stays live.
    """
    registry_of(settings).version(version)
    arguments = promotion_arguments(settings, version, by)
    if settings.kubeflow:
        return f"promotion of version {version} runs on Kubeflow as {submit(promotion, settings, arguments)}"
    run_locally(promotion, settings, arguments)
    return f"version {version} is live"


def reject(settings: Settings, version: int, by: str, reason: str) -> str:
    registry = registry_of(settings)
    registry.version(version)
    registry.decide(version, REJECTED, by, reason)
    return f"version {version} is rejected: {reason}"


def rollback(settings: Settings, by: str) -> str:
    """Make the version before the live one live again.

    Raises:
        LookupError: there is none.
    """
    record = ReleaseStore(settings.releases).live_record()
    previous = record.get("previous")
    if previous is None:
        raise LookupError(f"nothing to roll back to: {settings.releases} had no version before the live one")
    return approve(settings, previous, f"{by}, rolling back {record['version']}")


def promotion_arguments(settings: Settings, version: int, by: str) -> dict[str, Any]:
    names = ("tracking_uri", "releases", "features", "registry", "online_store", "model_server", "model_name")
    return {"version": version, "approved_by": by, **{name: getattr(settings, name) for name in names}}


def report_of(registry: Registry, version: Version, directory: Path) -> list[Path]:
    """Download the evaluation of a version's run; returns the files."""
    registry.client.download_artifacts(version.run_id, "evaluation", str(directory))
    return sorted(path for path in directory.rglob("*") if path.is_file())


def _utc(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(seconds))
