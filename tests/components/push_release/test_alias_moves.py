"""An alias that somebody sets in MLflow promotes a version, or is set back with a reason in the history."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException

from components.errors import StepError
from components.register_release.registered_version import CANDIDATE, LIVE, PREVIOUS, REJECTED
from pipelines.errors import HomeInUse
from pipelines.local_run.run_lock import run_lock
from pipelines.review.alias_watcher import follow_aliases
from pipelines.review.rollback import roll_back
from pipelines.settings import Settings
from serving.release.release_store import ReleaseStore
from tests.components.push_release.conftest import Promotion, settings_of
from tests.components.register_release.test_registration import MODEL
from tests.fake_model_server import interests


@pytest.fixture
def settings(promotion: Promotion, tmp_path: Path) -> Settings:
    """A home whose version 1 is live and whose version 2 is the candidate."""
    promotion.push(promotion.version)
    promotion.register()
    settings = settings_of(promotion, tmp_path / "home")
    settings.prepare_home()
    assert follow_aliases(settings, promotion.registry) == []
    return settings


def set_elsewhere(promotion: Promotion, alias: str, version: int) -> None:
    """As MLflow's page does."""
    promotion.registry.client.set_registered_model_alias(MODEL, alias, str(version))


def acts(promotion: Promotion) -> list[tuple[str, int, str]]:
    return [(record.act, record.version, record.by) for record in promotion.registry.history.records()]


def test_live_that_is_moved_promotes_the_version(promotion: Promotion, settings: Settings) -> None:
    set_elsewhere(promotion, LIVE, 2)
    assert follow_aliases(settings, promotion.registry) == ["version 2 is live: the alias was set elsewhere"]
    assert promotion.store.live() == 2
    assert promotion.registry.aliases_and_tags()[0] == {LIVE: 2, PREVIOUS: 1}
    assert acts(promotion)[-2:] == [
        ("approved", 2, "alias set elsewhere"),
        ("pushed", 2, "alias set elsewhere"),
    ]
    assert follow_aliases(settings, promotion.registry) == []


def test_live_on_a_version_that_fails_its_smoke_test_is_set_back(
    promotion: Promotion, settings: Settings
) -> None:
    promotion.server.answer = interests(99)
    set_elsewhere(promotion, LIVE, 2)
    (message,) = follow_aliases(settings, promotion.registry)
    assert "alias live set elsewhere to version 2 is set back" in message
    assert "finite numbers" in promotion.registry.history.records()[-1].reason
    assert acts(promotion)[-1] == ("alias refused", 2, "alias set elsewhere")
    assert (promotion.store.live(), promotion.registry.version(1).aliases) == (1, [LIVE])


def test_live_on_a_rejected_version_is_set_back(promotion: Promotion, settings: Settings) -> None:
    promotion.registry.decide(2, REJECTED, "grace", "too many sequels")
    set_elsewhere(promotion, LIVE, 2)
    (message,) = follow_aliases(settings, promotion.registry)
    assert "version 2 is rejected" in message
    assert (promotion.store.live(), promotion.registry.version(1).aliases) == (1, [LIVE])


def test_live_that_is_removed_is_set_back(promotion: Promotion, settings: Settings) -> None:
    promotion.registry.client.delete_registered_model_alias(MODEL, LIVE)
    (message,) = follow_aliases(settings, promotion.registry)
    assert "a version stays live until another one replaces it" in message
    assert promotion.registry.version(1).aliases == [LIVE]


def test_an_alias_waits_for_a_training(promotion: Promotion, settings: Settings) -> None:
    set_elsewhere(promotion, LIVE, 2)
    with run_lock(settings.home), pytest.raises(HomeInUse):
        follow_aliases(settings, promotion.registry)
    assert promotion.registry.version(2).aliases == [CANDIDATE, LIVE]


SMOKE_TEST = "components.push_release.candidate_check.smoke_test"


def test_candidate_that_is_moved_is_tested_and_recorded_or_set_back(
    promotion: Promotion, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tested = list[int]()

    def passes(store: ReleaseStore, version: int, model_server: str) -> AbstractContextManager[None]:
        assert store.open(version).version == version
        tested.append(version)
        return nullcontext()

    monkeypatch.setattr(SMOKE_TEST, passes)
    third = promotion.register()
    set_elsewhere(promotion, CANDIDATE, 2)
    assert follow_aliases(settings, promotion.registry) == [
        "version 2 is the candidate: the alias was set elsewhere"
    ]
    assert acts(promotion)[-1] == ("made candidate", 2, "alias set elsewhere")
    assert (tested, promotion.store.versions()) == ([2], [1])
    promotion.registry.decide(third, REJECTED, "grace", "too many sequels")
    set_elsewhere(promotion, CANDIDATE, third)
    (message,) = follow_aliases(settings, promotion.registry)
    assert f"version {third} is rejected" in message
    assert promotion.registry.version(2).aliases == [CANDIDATE]


def test_candidate_on_a_version_that_fails_its_smoke_test_is_set_back(
    promotion: Promotion, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise StepError("version 2 fails the smoke test: no answer")

    monkeypatch.setattr(SMOKE_TEST, fails)
    third = promotion.register()
    set_elsewhere(promotion, CANDIDATE, 2)
    (message,) = follow_aliases(settings, promotion.registry)
    assert message == (
        "alias candidate set elsewhere to version 2 is set back: version 2 fails the smoke test: no answer"
    )
    assert acts(promotion)[-1] == ("alias refused", 2, "alias set elsewhere")
    assert promotion.registry.aliases_and_tags()[0] == {LIVE: 1, CANDIDATE: third}


def test_candidate_on_a_version_whose_files_changed_is_set_back(
    promotion: Promotion, settings: Settings
) -> None:
    promotion.register()
    blends = sorted(promotion.registered.model.parent.rglob("artifacts/**/blend.json"))
    for blend in blends:
        blend.write_text('{"features": [], "weights": [], "changed": true}')
    set_elsewhere(promotion, CANDIDATE, 2)
    (message,) = follow_aliases(settings, promotion.registry)
    assert "differs from its manifest in ranking/blend.json" in message
    assert acts(promotion)[-1] == ("alias refused", 2, "alias set elsewhere")


def test_aliases_follow_a_rollback_that_did_not_reach_mlflow(
    promotion: Promotion, settings: Settings
) -> None:
    promotion.push(2, by_person=True)
    roll_back(settings, "ada", "empty answers")
    assert promotion.registry.version(2).aliases == [LIVE]
    assert follow_aliases(settings, promotion.registry) == [
        "recorded that version 1 was rolled back by ada",
        "the aliases live and previous follow version 1",
    ]
    assert promotion.registry.aliases_and_tags()[0] == {LIVE: 1, PREVIOUS: 2}


class GoneClient:
    def get_registered_model(self, name: str) -> None:
        raise MlflowException("connection refused\nmore lines")


def test_a_registry_that_gives_no_answer_is_named(promotion: Promotion, settings: Settings) -> None:
    promotion.registry.client = GoneClient()
    with pytest.raises(StepError, match=r"MLflow at sqlite:.* gave no answer: connection refused; "):
        follow_aliases(settings, promotion.registry)
