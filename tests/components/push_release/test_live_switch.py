"""A switch and its reason are one write; switches stay until the history has them."""

from pathlib import Path

import pytest

from components.push_release.live_switch import last_switch, switch, unrecorded
from components.push_release.switch_records import write_history
from components.register_release.review_history import ReviewHistory
from serving.errors import ReleaseError
from serving.release.published_versions import MARKERS, PublishedVersions


@pytest.fixture(params=["local", "remote"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> PublishedVersions:
    """Versions 3, 4 and 5 are published."""
    url = str(tmp_path / "releases") if request.param == "local" else f"memory://{tmp_path}/releases"
    store = PublishedVersions(url)
    for version in (3, 4, 5):
        for kind, marker in MARKERS.items():
            store.filesystem.makedirs(store.path(kind, version))
            store.filesystem.pipe(f"{store.path(kind, version)}/{marker}", b"{}")
    return store


@pytest.fixture
def history(tmp_path: Path) -> ReviewHistory:
    return ReviewHistory(f"sqlite:///{tmp_path}/history.db", "penchant")


def test_a_switch_stores_the_previous_version(store: PublishedVersions) -> None:
    assert store.live() is None
    assert (switch(store, 3, "pushed", "ada").before, store.rollback_target()) == (None, 5)
    assert (switch(store, 4, "pushed", "ada").before, store.rollback_target()) == (3, 3)
    # Switching to the live version keeps the previous one.
    assert (switch(store, 4, "pushed", "ada").before, store.rollback_target()) == (4, 3)


def test_a_rollback_brings_the_newest_other_version_when_the_previous_one_is_gone(
    store: PublishedVersions,
) -> None:
    switch(store, 3, "pushed", "ada")
    switch(store, 4, "pushed", "ada")
    store.filesystem.rm(store.path("ranking", 3), recursive=True)

    assert store.rollback_target() == 5


def test_a_rollback_brings_no_version_that_was_published_for_an_experiment_only(
    store: PublishedVersions,
) -> None:
    store.mark_candidate(5)
    assert (switch(store, 3, "pushed", "ada").before, store.rollback_target()) == (None, 4)
    store.mark_candidate(4)
    assert store.rollback_target() is None
    switch(store, 5, "pushed", "ada")
    store.filesystem.rm(store.path("ranking", 3), recursive=True)
    assert store.rollback_target() is None
    switch(store, 4, "pushed", "ada")
    assert store.rollback_target() == 5


def test_live_json_says_who_switched_when_and_why(store: PublishedVersions) -> None:
    made = switch(store, 3, "rolled back", "ada", "empty answers", pinned=True)

    assert last_switch(store) == made
    record = store.live_record()
    assert (record["version"], record["pinned"], record["since"]) == (3, True, made.at)
    assert (record["switch"]["by"], record["switch"]["reason"]) == ("ada", "empty answers")


def test_switches_that_no_history_has_are_recorded_later_and_once(
    store: PublishedVersions, history: ReviewHistory
) -> None:
    made = [switch(store, version, "pushed", "ada", f"reason {version}") for version in (3, 4, 5)]
    assert unrecorded(store) == made

    assert write_history(store, history, late=True) == made
    assert write_history(store, history, late=True) == []
    assert [(r.version, r.live_before, r.live_after, r.reason) for r in history.records()] == [
        (3, None, 3, "reason 3"),
        (4, 3, 4, "reason 4"),
        (5, 4, 5, "reason 5"),
    ]
    assert all(record.recorded_at > record.at for record in history.records())
    assert unrecorded(store) == made[-1:]  # live.json keeps the last one


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"version": "3"}', "null"])
def test_a_damaged_live_json_is_named_and_a_switch_replaces_it(
    store: PublishedVersions, content: str
) -> None:
    store.filesystem.pipe(f"{store.root}/live.json", content.encode())
    with pytest.raises(ReleaseError, match=r"live.json is damaged: expected .*rollback --to VERSION"):
        store.live()

    switch(store, 4, "rolled back", "ada", pinned=True)

    assert store.live() == 4
    assert store.rollback_target() == 5
