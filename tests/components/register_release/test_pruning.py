"""Artifacts of old rejected versions are deleted; records stay, and what may be needed is never deleted."""

from pathlib import Path

import pytest

from components.errors import StepError
from components.push_release.promotion import check_allowed
from components.register_release.model_registry import Registry
from components.register_release.pruning import prune, select
from components.register_release.registered_version import REJECTED
from tests.components.register_release.test_registration import MODEL, Release


@pytest.fixture
def registry(tmp_path: Path, tracking_uri: str) -> Registry:
    """Versions 1 to 5: 4 waits, the others are rejected; 2 is previous, 3 has the tag `pinned`."""
    release = Release(tmp_path, tracking_uri)
    for _ in range(5):
        release.register()
    registry = Registry(tracking_uri, MODEL, tracking_uri)
    for number in (1, 2, 3, 5):
        registry.decide(number, REJECTED, "grace", "too many sequels")
    registry.set_alias("previous", 2)
    registry.tag(3, "pinned", "for the audit")
    return registry


def numbers(registry: Registry, days: float = 0.0, published: tuple[int, ...] = (5,)) -> list[int]:
    return [version.number for version in select(registry, days, published)]


def test_only_old_rejected_versions_that_nobody_needs_are_selected(registry: Registry) -> None:
    assert numbers(registry) == [1]
    assert numbers(registry, published=()) == [1, 5]
    assert numbers(registry, days=1.0) == []


def test_artifacts_go_and_records_stay(registry: Registry, tmp_path: Path) -> None:
    prune(registry, registry.version(1), "ada")

    with pytest.raises(StepError, match="can't be downloaded"):
        registry.download(1, tmp_path)
    assert registry.download(2, tmp_path / "other").exists()
    entry = registry.version(1)
    assert (entry.review, entry.tags["ndcg_at_10"]) == (REJECTED, "0.1234")
    assert [(r.act, r.version, r.by) for r in registry.history.records()][-1] == ("pruned", 1, "ada")
    assert numbers(registry) == []
    with pytest.raises(StepError, match="artifacts of version 1 were pruned"):
        check_allowed(entry, by_person=True, force=False)


def test_a_killed_pruning_is_repeated(registry: Registry) -> None:
    registry.tag(1, "pruned_at", "2026-01-01")
    assert numbers(registry) == [1]
