"""Promotion: a version goes live only after its smoke test; a failure does not change the live version."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from components.errors import StepError
from components.push_release import promotion as promotion_module
from components.push_release.live_switch import switch
from components.register_release.registered_version import APPROVED, FAILED, REJECTED, WAITING
from pipelines.errors import RunError
from pipelines.local_run.recovery import recover_home
from pipelines.local_run.run_lock import run_lock
from pipelines.review import decisions as review
from pipelines.review.publishing import publish_candidate
from pipelines.review.rollback import roll_back, write_history
from pipelines.settings import Settings
from serving.release.published_versions import MARKERS
from serving.release.release_store import ReleaseStore
from tests.components.push_release.conftest import MATERIALIZE, Promotion, settings_of
from tests.components.register_release.test_registration import ITEM_IDS, MODEL
from tests.fake_model_server import interests

WRONG_SIZE = 99


def test_a_version_that_passes_the_smoke_test_is_live(promotion: Promotion) -> None:
    promotion.push(promotion.version)
    entry = promotion.registry.version(promotion.version)
    assert promotion.store.live() == promotion.version
    assert (entry.review, entry.tags["reviewed_by"], entry.aliases) == (APPROVED, "ada", ["live"])


def test_a_version_that_learned_from_an_erased_user_is_not_pushed(
    promotion: Promotion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promotion_module, "tainted_versions", lambda store: {promotion.version: [3]})
    message = r"learned from users who were erased since \(receipts 3\).*--accept-tainted"
    with pytest.raises(StepError, match=message):
        promotion.push(promotion.version)
    settings = settings_of(promotion, tmp_path)
    for publish in (
        lambda: review.approve(settings, promotion.version, "ada", ""),
        lambda: publish_candidate(settings, promotion.version),
    ):
        with pytest.raises(StepError, match=message):
            publish()
    assert promotion.store.versions() == []


def test_a_candidate_is_published_and_tested_while_the_live_version_stays(
    promotion: Promotion, tmp_path: Path
) -> None:
    settings = settings_of(promotion, tmp_path / "home")
    promotion.push(promotion.version)
    candidate, calls = promotion.register(), promotion.server.calls
    publish_candidate(settings, candidate)
    assert promotion.server.calls > calls
    assert promotion.store.versions() == [promotion.version, candidate]
    assert (promotion.store.live(), promotion.store.rollback_target()) == (promotion.version, None)
    promotion.push(candidate)
    assert promotion.store.rollback_target() == promotion.version
    rejected = promotion.register()
    promotion.registry.decide(rejected, REJECTED, "grace", "sequels")
    with pytest.raises(StepError, match="was rejected: no user gets its answers"):
        publish_candidate(settings, rejected)


def test_a_failed_smoke_test_unpublishes_and_tags_the_version_and_keeps_the_live_one(
    promotion: Promotion,
) -> None:
    promotion.push(promotion.version)
    failing = promotion.register()
    promotion.server.answer = interests(WRONG_SIZE)
    with pytest.raises(StepError, match="finite numbers"):
        promotion.push(failing)
    entry = promotion.registry.version(failing)
    assert promotion.store.live() == promotion.version
    assert promotion.store.versions() == [promotion.version]
    assert (entry.review, entry.tags["reviewed_by"]) == (FAILED, "smoke test")
    assert "finite numbers" in entry.tags["review_reason"]
    assert promotion.registry.version(promotion.version).aliases == ["live"]


def test_a_failed_smoke_test_of_the_live_version_does_not_unpublish_it(promotion: Promotion) -> None:
    promotion.push(promotion.version)
    promotion.server.answer = interests(WRONG_SIZE)
    with pytest.raises(StepError, match="finite numbers"):
        promotion.push(promotion.version)
    assert promotion.store.versions() == [promotion.version]
    assert promotion.store.live() == promotion.version


def test_a_version_that_failed_can_be_pushed_again(promotion: Promotion) -> None:
    promotion.server.answer = interests(WRONG_SIZE)
    with pytest.raises(StepError, match="finite numbers"):
        promotion.push(promotion.version)
    promotion.server.answer = interests(3)
    promotion.push(promotion.version)
    assert promotion.store.live() == promotion.version
    assert promotion.registry.version(promotion.version).review == APPROVED


def test_a_rejected_version_is_refused_before_it_is_published(promotion: Promotion) -> None:
    promotion.registry.decide(promotion.version, REJECTED, "grace", "too many sequels")
    with pytest.raises(StepError, match=rf"`penchant review approve {promotion.version}` overrules"):
        promotion.push(promotion.version)
    assert promotion.store.versions() == []
    assert promotion.server.calls == 0
    assert promotion.registry.version(promotion.version).review == REJECTED


def test_approving_overrules_a_rejection(promotion: Promotion, tmp_path: Path) -> None:
    promotion.registry.decide(promotion.version, REJECTED, "grace", "too many sequels")
    settings = settings_of(promotion, tmp_path / "home")

    message = review.approve(settings, promotion.version, "ada", "better")

    assert message == f"version {promotion.version} is live"
    entry = promotion.registry.version(promotion.version)
    assert promotion.store.live() == promotion.version
    assert (entry.review, entry.tags["reviewed_by"], entry.tags["review_reason"]) == (
        APPROVED,
        "ada",
        "better",
    )
    (log,) = settings.home.glob("runs/*/run.log")
    assert f"version {promotion.version} is live" in log.read_text()


def test_a_rejected_version_is_unpublished_and_no_rollback_brings_it_back(
    promotion: Promotion, tmp_path: Path
) -> None:
    settings = settings_of(promotion, tmp_path / "home")
    promotion.push(promotion.version)
    newer = promotion.register()
    promotion.push(newer)
    assert review.reject(settings, promotion.version, "grace", "it shows recalled items") is False
    with pytest.raises(
        LookupError, match=f"version {promotion.version} is not published; published: {newer}"
    ):
        roll_back(settings, "grace", "recalled items", to=promotion.version)
    assert promotion.store.live() == newer


def test_a_rejected_version_that_is_live_stays_until_a_rollback(promotion: Promotion, tmp_path: Path) -> None:
    promotion.push(promotion.version)
    assert review.reject(settings_of(promotion, tmp_path / "home"), promotion.version, "grace", "sequels")
    assert promotion.store.versions() == [promotion.version]


def test_a_policy_does_not_undo_a_rollback_and_a_person_does(
    promotion: Promotion, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = settings_of(promotion, tmp_path / "home")
    promotion.push(promotion.version)
    newer = promotion.register()
    promotion.push(newer)
    roll_back(settings, "ada", "answers were empty")
    write_history(settings)
    assert promotion.registry.version(newer).aliases == ["live"]
    assert recover_home(settings, promotion.registry) == [
        f"the aliases live and previous follow version {promotion.version}"
    ]
    entry = promotion.registry.version(promotion.version)
    assert entry.aliases == ["live"]

    assert [
        (record.act, record.version, record.by, record.live_before, record.live_after)
        for record in promotion.registry.history.records()[-3:]
    ] == [
        ("approved", newer, "ada", None, None),
        ("pushed", newer, "ada", promotion.version, newer),
        ("rolled back", promotion.version, "ada", newer, promotion.version),
    ]

    promotion.push(newer)
    assert promotion.store.live() == promotion.version
    assert f"version {promotion.version} is pinned since a rollback" in capsys.readouterr().out

    promotion.push(newer, by_person=True)
    assert promotion.store.live() == newer
    assert promotion.store.live_record()["pinned"] is False


def test_a_rollback_during_a_push_by_a_policy_wins(
    promotion: Promotion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    promotion.push(promotion.version)
    second = promotion.register()
    promotion.push(second)
    third = promotion.register()
    settings = settings_of(promotion, tmp_path)
    monkeypatch.setattr(MATERIALIZE, lambda *arguments: roll_back(settings, "grace", "empty answers"))
    promotion.push(third)
    assert promotion.store.live() == promotion.version


def test_a_person_is_told_of_a_rollback_during_the_push(
    promotion: Promotion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    promotion.push(promotion.version)
    second, third = promotion.register(), promotion.register()
    promotion.server.version = second
    promotion.push(second)
    promotion.server.version = third
    settings = settings_of(promotion, tmp_path)
    monkeypatch.setattr(MATERIALIZE, lambda *arguments: roll_back(settings, "grace", "empty answers"))
    with pytest.raises(StepError, match=rf"grace has made version {promotion.version} live meanwhile"):
        promotion.push(third, by_person=True)
    assert promotion.store.live() == promotion.version
    entry = promotion.registry.version(third)
    assert (entry.review, entry.aliases) == (WAITING, ["candidate"])
    assert promotion.registry.history.records()[-1].act == "interrupted"


def test_of_two_reviewers_the_second_is_told(promotion: Promotion, tmp_path: Path) -> None:
    last_seen = promotion.registry.history.last_sequence()
    promotion.registry.decide(promotion.version, REJECTED, "grace", "too many sequels", last_seen)
    with pytest.raises(StepError, match=rf"grace has rejected version {promotion.version} .* decide again"):
        promotion.push(promotion.version, by_person=True, last_seen=last_seen)
    assert promotion.store.live() is None
    assert promotion.registry.version(promotion.version).review == REJECTED


def test_approving_against_the_gate_needs_force_and_the_history_keeps_it(
    promotion: Promotion, tmp_path: Path
) -> None:
    promotion.registry.tag(promotion.version, "gate_decision", "worse")
    settings = settings_of(promotion, tmp_path / "home")
    with pytest.raises(StepError, match=r"found version 1 worse: beats popularity\. .* --force --reason"):
        review.approve(settings, promotion.version, "ada", "the baseline is no goal")
    assert promotion.store.live() is None
    assert promotion.registry.version(promotion.version).review == WAITING

    review.approve(settings, promotion.version, "ada", "the baseline is no goal", force=True)
    approval = promotion.registry.history.records()[-2]
    assert (approval.act, approval.reason) == ("approved", "the baseline is no goal")
    assert (approval.figures["gate_decision"], approval.figures["forced"]) == ("worse", True)


def test_an_artifact_store_that_is_gone_changes_nothing(promotion: Promotion) -> None:
    shutil.rmtree(promotion.registered.model.parent / "artifacts")
    with pytest.raises(StepError, match="version 1 can't be downloaded from the registry's artifact store"):
        promotion.push(promotion.version)
    assert promotion.store.versions() == []


def test_a_version_is_live_although_its_interests_could_not_be_written(
    promotion: Promotion, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError("the online store is down")

    monkeypatch.setattr(MATERIALIZE, fail)
    promotion.push(promotion.version)
    assert promotion.store.live() == promotion.version
    assert "interests not written (the online store is down)" in capsys.readouterr().out


def test_a_version_whose_files_changed_in_the_registry_is_not_published(promotion: Promotion) -> None:
    (blend,) = promotion.registered.model.parent.rglob("artifacts/**/blend.json")
    blend.write_text('{"features": [], "weights": [], "changed": true}')
    with pytest.raises(StepError, match=r"differs from its manifest in ranking/blend\.json"):
        promotion.push(promotion.version)
    assert promotion.store.versions() == []


def test_old_versions_are_unpublished_except_live_and_previous(
    promotion: Promotion, capsys: pytest.CaptureFixture[str]
) -> None:
    promotion.push(promotion.version)
    for version in range(promotion.version + 1, promotion.version + 4):
        for kind, marker in MARKERS.items():
            directory = Path(promotion.store.path(kind, version))
            directory.mkdir(parents=True)
            (directory / marker).write_text("{}")
    switch(promotion.store, promotion.version + 2, "pushed", "ada")
    promotion.server.version = promotion.version
    promotion.push(promotion.version)
    assert np.isin([promotion.version, promotion.version + 2], promotion.store.versions()).all()
    assert f"it replaces version {promotion.version + 2}" in capsys.readouterr().out


@pytest.mark.parametrize("missing", ["ranking", "interest"])
def test_a_version_of_which_half_is_published_is_published_again(promotion: Promotion, missing: str) -> None:
    promotion.push(promotion.version)
    shutil.rmtree(promotion.store.path(missing, promotion.version))
    assert promotion.store.versions() == []
    promotion.push(promotion.version)
    assert promotion.store.open(promotion.version).version == promotion.version


def test_a_damaged_published_version_is_published_again(
    promotion: Promotion, capsys: pytest.CaptureFixture[str]
) -> None:
    promotion.push(promotion.version)
    embeddings = Path(promotion.store.path("ranking", promotion.version), "item_embeddings.npy")
    whole = embeddings.read_bytes()
    embeddings.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    promotion.push(promotion.version)
    assert embeddings.read_bytes() == whole
    assert "item_embeddings.npy differs from its checksum" in capsys.readouterr().out


def test_a_version_is_pushed_to_a_remote_store(promotion: Promotion, tmp_path: Path) -> None:
    promotion.releases = f"memory://{tmp_path.name}/releases"
    promotion.push(promotion.version)
    store = ReleaseStore(promotion.releases, tmp_path / "cache")
    assert store.live() == promotion.version
    assert store.open(store.versions()[0]).catalog.item_ids == ITEM_IDS


def test_an_approval_that_cannot_start_stores_nothing(promotion: Promotion, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", tracking_uri=promotion.tracking_uri, model_name=MODEL)
    settings.prepare_home()
    with run_lock(settings.home), pytest.raises(RunError, match="another run is in progress"):
        review.approve(settings, promotion.version, "ada", "better")
    entry = promotion.registry.version(promotion.version)
    assert (entry.review, entry.aliases) == (WAITING, ["candidate"])


def test_a_damaged_live_version_that_fails_its_smoke_test_stays_published(promotion: Promotion) -> None:
    promotion.push(promotion.version)
    shutil.rmtree(promotion.store.path("interest", promotion.version))
    promotion.server.answer = interests(WRONG_SIZE)
    with pytest.raises(StepError, match="finite numbers"):
        promotion.push(promotion.version)
    assert promotion.store.versions() == [promotion.version]


def test_a_switch_that_was_not_recorded_is_no_other_reviewers(promotion: Promotion, tmp_path: Path) -> None:
    """A command was killed between its switch and the history; the reviewer decides after that."""
    settings = settings_of(promotion, tmp_path / "home")
    promotion.push(promotion.version)
    newer = promotion.register()
    promotion.push(newer)
    switch(promotion.store, promotion.version, "rolled back", "grace", "empty answers")
    assert review.approve(settings, newer, "ada", "better") == f"version {newer} is live"
    records = promotion.registry.history.records()
    assert [(record.act, record.by) for record in records[-3:]] == [
        ("rolled back", "grace"),
        ("approved", "ada"),
        ("pushed", "ada"),
    ]
