"""A home is encrypted with all that it has, and a crash meanwhile loses nothing; then all works as before."""

import filecmp
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner

from components.errors import StepError
from components.fetch_training_set.training_set import fetch
from components.materialize_features.materialization import materialize
from components.train_collaborative_filters.fitting import fit
from feature_repo.feedback import FeedbackPolicy
from pipelines.cli import app
from pipelines.errors import HomeInUse
from pipelines.privacy.erasure import erase_user
from pipelines.privacy.export import export_user
from pipelines.privacy.home_encryption import encrypt_home
from pipelines.settings import Settings, load_settings
from serving.configuration.encrypted_home import encrypted_home
from serving.configuration.settings import load_settings as load_serving_settings
from serving.release.release_store import ReleaseStore
from tests.compute import compute
from tests.encrypted_homes import KEY, unmount_all
from tests.fault_points import kill_at_write
from tests.occurrences import files_with
from tests.patience import wait_until
from tests.pipelines.privacy.test_erasure import NOW_US, PERSON, Shop
from tests.serving.planted import write_release

TITLE: Final = "Marked-Title"


def fill(shop: Shop) -> None:
    """Run the steps up to the filters, record an interaction, and publish a release."""
    steps = shop.settings.home / "runs" / "1" / "steps"
    shop.record("u1", PERSON)
    shop.ingest(shop.write("interactions.csv", 0), shop.write_users())
    addresses = shop.validate_and_build(steps)
    materialize(addresses, NOW_US)
    fetch(steps / "spine", addresses, steps / "training_set", compute())
    policy = FeedbackPolicy.read(shop.outputs.feedback)
    fit(steps / "training_set", shop.outputs.items, "all", steps / "filters", policy)
    write_release(Path(shop.settings.releases), 1, titles=TITLE)


def test_nothing_of_a_home_can_be_read_without_its_key(mounts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop(mounts)
    fill(shop)
    home, encrypted = shop.settings.home, mounts / "home.encrypted"
    assert len(files_with(home, PERSON)) > 5
    assert files_with(home, TITLE)
    exported = export_user(load_settings(home=home), PERSON)["data"]

    (mounts / "key").write_bytes(KEY)
    monkeypatch.setenv("PENCHANT_ENCRYPTION_KEY_FILE", str(mounts / "key"))
    for load in (load_settings, load_serving_settings):
        with pytest.raises(ValueError, match=r"there is an encryption key, but .* is not encrypted"):
            load(home=home)
    invoked = CliRunner().invoke(app, ["home", "encrypt", "--home", str(home)])
    assert invoked.exit_code == 0, invoked.output
    assert sorted(path.name for path in mounts.glob("home*")) == ["home", "home.encrypted"]
    assert files_with(encrypted, PERSON) == files_with(encrypted, TITLE) == []

    assert CliRunner().invoke(app, ["home", "lock", "--home", str(home)]).exit_code == 0
    assert list(home.iterdir()) == []
    monkeypatch.setenv("PENCHANT_ENCRYPTION_KEY_FILE", str(mounts / "other"))
    (mounts / "other").write_bytes(KEY[::-1])
    with pytest.raises(ValueError, match="the key is wrong"):
        load_settings(home=home)
    monkeypatch.delenv("PENCHANT_ENCRYPTION_KEY_FILE")
    for load in (load_settings, load_serving_settings):
        with pytest.raises(ValueError, match="is encrypted, and locked: set PENCHANT_ENCRYPTION_KEY_FILE"):
            load(home=home)
    assert list(home.iterdir()) == []

    monkeypatch.setenv("PENCHANT_ENCRYPTION_KEY_COMMAND", f"cat {mounts}/key")
    settings = load_settings(home=home)
    assert export_user(settings, PERSON)["data"] == exported
    assert TITLE in ReleaseStore(settings.releases).open(1).catalog.titles[0]
    assert tempfile.gettempdir() == str(home / "tmp")
    shop.ingest(shop.write("second.csv", 7))
    shop.validate_and_build(settings.home / "runs" / "2" / "steps")
    assert files_with(encrypted, PERSON) == []
    receipt, _ = erase_user(settings, PERSON)
    assert str(encrypted) in {entry["place"] for entry in receipt.remains}
    assert files_with(home, PERSON) == []


@pytest.fixture
def settings(mounts: Path) -> Settings:
    """A home with two files."""
    settings = Settings(home=mounts / "home")
    (settings.home / "runs").mkdir(parents=True)
    (settings.home / "log.db").write_text("log")
    (settings.home / "runs" / "page").symlink_to("../log.db")
    return settings


def content(settings: Settings) -> dict[str, str]:
    files = [file for file in settings.home.rglob("*") if file.is_file() and file.stat().st_size]
    return {str(file.relative_to(settings.home)): file.read_text() for file in files}


def test_a_command_that_is_killed_at_any_write_is_repeated(
    settings: Settings, mounts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sync", lambda: None)  # a busy disk takes long, and no power fails here
    before, home, moment = content(settings), settings.home, 0

    def encrypt() -> None:
        encrypt_home(settings, KEY)

    while not encrypted_home(home).exists:
        moment += 1
        try:
            kill_at_write(mounts, moment, encrypt)
        except AssertionError:
            break
        unmount_all(home)
        if not encrypted_home(home).exists and home.is_dir():
            assert content(settings) == before
            if (mounts / "home.encrypted-new").exists():
                with pytest.raises(ValueError, match="is being encrypted; if nobody does that now"):
                    load_settings(home=home)
    assert moment > 5
    if (mounts / "home.unencrypted").exists():
        with pytest.raises(ValueError, match="is being encrypted; if nobody does that now"):
            load_settings(home=home)
        encrypt()
    assert content(settings) == before
    assert sorted(path.name for path in mounts.iterdir()) == ["home", "home.encrypted"]
    with pytest.raises(ValueError, match="is encrypted already"):
        encrypt()


def test_a_copy_that_differs_leaves_the_home_as_it_was(
    settings: Settings, mounts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(settings)
    monkeypatch.setattr(filecmp, "cmp", lambda *_, **__: False)
    with pytest.raises(StepError, match=r"the encrypted copy of .* differs from it"):
        encrypt_home(settings, KEY)
    assert content(settings) == before
    assert [path.name for path in mounts.iterdir()] == ["home"]


def test_a_home_in_use_is_not_encrypted(settings: Settings, mounts: Path) -> None:
    program = (
        f"import sys; file = open({str(settings.home / 'log.db')!r}); print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        wait_until(lambda: process.stdout is not None and process.stdout.readline() == b"\n")
        with pytest.raises(HomeInUse, match=f"is in use by processes {process.pid}"):
            encrypt_home(settings, KEY)
        process.communicate()
    assert [path.name for path in mounts.iterdir()] == ["home"]


def test_a_new_home_begins_encrypted_and_stores_outside_are_told(
    mounts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENCHANT_ENCRYPTION_KEY_COMMAND", f"echo {KEY.decode()}")
    monkeypatch.setenv("PENCHANT_INTERACTION_LOG", "postgresql://me:secret@db/log")
    invoked = CliRunner().invoke(app, ["home", "encrypt", "--home", str(mounts / "new")])
    assert invoked.exit_code == 0, invoked.output
    assert "lies outside the home: interaction_log (postgresql://me:***@db/log)" in invoked.output
    assert "secret" not in invoked.output
    assert load_settings(home=mounts / "new").home.is_mount()
    assert sorted(path.name for path in mounts.iterdir()) == ["new", "new.encrypted"]


def test_without_a_key_the_command_says_how_to_make_one(tmp_path: Path) -> None:
    invoked = CliRunner().invoke(app, ["home", "encrypt", "--home", str(tmp_path / "home")])
    assert invoked.exit_code == 2
    assert "openssl rand -hex 32" in invoked.output
    for command in ("lock", "unlock"):
        invoked = CliRunner().invoke(app, ["home", command, "--home", str(tmp_path / "home")])
        assert invoked.exit_code == 2
        assert "is not encrypted" in invoked.output
    assert not list(tmp_path.iterdir())
