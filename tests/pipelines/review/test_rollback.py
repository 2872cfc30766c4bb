from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from components.push_release.live_switch import switch
from components.register_release.review_history import Act, ReviewHistory
from pipelines.cli import app
from pipelines.commands.errors import FAILED, out
from pipelines.local_run.run_lock import run_lock
from pipelines.review.rollback import open_history, roll_back
from pipelines.settings import Settings, load_settings
from serving.release.published_versions import MARKERS
from serving.release.release_store import ReleaseStore


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home with the published versions 1, 2 and 3; 2 was live before 3."""
    monkeypatch.setenv("PENCHANT_HOME", str(tmp_path))
    settings = load_settings()
    store = ReleaseStore(settings.releases)
    for version in (1, 2, 3):
        for kind, marker in MARKERS.items():
            directory = Path(store.path(kind, version))
            directory.mkdir(parents=True)
            (directory / marker).write_text("{}")
        switch(store, version, "pushed", "ada")
    return settings


def live(settings: Settings) -> tuple[int, bool]:
    record = ReleaseStore(settings.releases).live_record()
    return record["version"], record["pinned"]


def test_the_version_before_is_live_and_pinned(settings: Settings) -> None:
    rollback = roll_back(settings, "ada", "empty answers")

    assert (rollback.before, rollback.version) == (3, 2)
    assert live(settings) == (2, True)


def test_any_published_version_can_be_chosen_and_again(settings: Settings) -> None:
    roll_back(settings, "ada", "empty answers", to=1)
    roll_back(settings, "ada", "empty answers", to=1)

    assert live(settings) == (1, True)
    assert roll_back(settings, "ada", "empty answers").version == 3


def test_a_version_that_is_not_published_is_refused_with_those_that_are(settings: Settings) -> None:
    with pytest.raises(LookupError, match="version 7 is not published; published: 1, 2, 3"):
        roll_back(settings, "ada", "empty answers", to=7)

    assert live(settings) == (3, False)


def test_a_home_without_a_release_has_nothing_to_roll_back_to(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="nothing to roll back to"):
        roll_back(load_settings(home=tmp_path), "ada", "empty answers")


def test_a_rollback_neither_waits_for_a_run_nor_needs_the_registry(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENCHANT_TRACKING_URI", "http://127.0.0.1:9")  # no server has this port

    with run_lock(settings.home):
        result = CliRunner().invoke(app, ["review", "rollback", "--by", "ada"])

    assert result.exit_code == 0
    assert "version 2 is live instead of 3" in result.stdout
    records = open_history(load_settings()).records()
    assert [(r.act, r.version, r.by) for r in records][-1:] == [("rolled back", 2, "ada")]
    assert live(settings) == (2, True)


def test_an_unknown_version_ends_with_one_message(settings: Settings) -> None:
    result = CliRunner().invoke(app, ["review", "rollback", "--by", "ada", "--to", "9"])

    assert result.exit_code == FAILED
    assert "version 9 is not published" in result.stderr


def test_the_history_shows_and_verifies_what_was_decided(
    settings: Settings, tracking_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENCHANT_TRACKING_URI", tracking_uri)
    ReviewHistory(tracking_uri, settings.model_name).append(
        Act.ROLLED_BACK, 2, "ada", "empty [answers]", live=(3, 2)
    )

    monkeypatch.setattr(out, "width", 120)
    shown = CliRunner().invoke(app, ["review", "history", "--verify"])
    assert "3 → 2" in shown.stdout
    assert "empty [answers]" in shown.stdout
    assert "4 records, none missing or changed" in shown.stdout

    with sa.create_engine(tracking_uri).begin() as connection:
        connection.execute(
            sa.text("UPDATE penchant_review_history SET content = replace(content, 'ada', 'bob')")
        )
    changed = CliRunner().invoke(app, ["review", "history", "--verify"])
    assert changed.exit_code == FAILED
    assert "record 1 was changed" in changed.stderr
