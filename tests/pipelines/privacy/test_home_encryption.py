"""A home is encrypted with all that it has, and a crash meanwhile loses nothing; then all works as before."""

import filecmp
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import chdir, closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pytest
from typer.testing import CliRunner

from components.errors import StepError
from components.fetch_training_set.training_set import fetch
from components.materialize_features.materialization import materialize
from components.train_collaborative_filters.fitting import fit
from feature_repo.feedback import FeedbackPolicy
from pipelines.cli import app
from pipelines.errors import HomeInUse, RunError
from pipelines.local_run.schedule import LocalSchedule
from pipelines.privacy.erasure import erase_user
from pipelines.privacy.export import export_user
from pipelines.privacy.home_encryption import encrypt_home, stores_outside
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
    assert Path(tempfile.gettempdir()).parent == home / "tmp"
    (home / "tmp" / "of-a-killed-command").mkdir()
    shop.ingest(shop.write("second.csv", 7))
    shop.validate_and_build(settings.home / "runs" / "2" / "steps")
    assert files_with(encrypted, PERSON) == []
    receipt, _ = erase_user(settings, PERSON)
    assert [str(path) for path in (home / "tmp").iterdir()] == [tempfile.gettempdir()]
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
    known = {"home", "home.encrypted", "home.encrypted-copy", "home.encrypted-new", "home.unencrypted"}

    def encrypt() -> None:
        encrypt_home(settings, KEY)

    while not encrypted_home(home).exists:
        moment += 1
        try:
            kill_at_write(mounts, moment, encrypt)
        except AssertionError:
            break
        unmount_all(home)
        assert {path.name for path in mounts.iterdir()} <= known  # no file of a lock
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


def test_a_repeat_with_another_key_deletes_nothing(
    settings: Settings, mounts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, home = content(settings), settings.home
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", interrupt)
        with pytest.raises(KeyboardInterrupt):
            encrypt_home(settings, KEY)
    plain = Settings(home=mounts / "home.unencrypted")
    for is_unlocked in (True, False):
        assert encrypted_home(home).is_unlocked is is_unlocked
        with pytest.raises(ValueError, match="the key is wrong"):
            encrypt_home(settings, KEY[::-1])
        assert content(plain) == before
    encrypt_home(settings, KEY)
    assert content(settings) == before
    assert sorted(path.name for path in mounts.iterdir()) == ["home", "home.encrypted"]


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("place", ["home", "home.encrypted", "linked"])
@pytest.mark.parametrize("setting", ["KEY_FILE", "KEY_COMMAND"])
def test_a_key_in_the_home_is_refused(
    settings: Settings, mounts: Path, monkeypatch: pytest.MonkeyPatch, place: str, setting: str
) -> None:
    (mounts / "linked").symlink_to("home")
    (mounts / place).mkdir(exist_ok=True)
    key = mounts / place / "key"
    key.write_bytes(KEY)
    monkeypatch.setenv(
        f"PENCHANT_ENCRYPTION_{setting}", f"cat {key}" if setting == "KEY_COMMAND" else str(key)
    )
    invoked = CliRunner().invoke(app, ["home", "encrypt", "--home", str(settings.home)])
    assert invoked.exit_code == 2
    assert "would be encrypted with the home" in " ".join(invoked.output.split())
    assert (settings.home / "log.db").read_text() == "log"
    assert key.read_bytes() == KEY


def test_a_night_unlocks_a_home_that_was_locked_or_writes_nothing(
    settings: Settings, mounts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (mounts / "key").write_bytes(KEY)
    monkeypatch.setenv("PENCHANT_ENCRYPTION_KEY_FILE", str(mounts / "key"))
    encrypted = encrypt_home(settings, KEY)
    unlocked, written = [], []

    def nights(schedule: LocalSchedule, night: Callable[[], None], *_: object) -> None:
        for has_key in (True, False):
            encrypted.lock()
            if not has_key:
                (mounts / "key").unlink()
            schedule.start()
            night()
            unlocked.append(encrypted.is_unlocked)
            written.append(sorted(path.name for path in settings.home.iterdir()))

    monkeypatch.setattr("pipelines.local_run.schedule.run_at_times", nights)
    monkeypatch.setattr("pipelines.local_run.runner.run_locally", refuse)
    invoked = CliRunner().invoke(app, ["run", "--every", "0 3 * * *", "--home", str(settings.home)])
    assert "the run has started" in invoked.output
    assert "expected a file with the key" in invoked.output
    assert unlocked == [True, False]
    assert "schedule.json" in written[0]
    assert written[1] == []


def refuse(*_: object) -> None:
    raise RunError("the run has started")


def test_what_would_write_into_a_home_unlocks_it(settings: Settings, mounts: Path) -> None:
    encrypt_home(settings, KEY).lock()
    with pytest.raises(ValueError, match="is encrypted, and locked"):
        settings.prepare_home()
    assert list(settings.home.iterdir()) == []
    (mounts / "key").write_bytes(KEY)
    Settings(home=settings.home, encryption_key_file=mounts / "key").prepare_home()
    assert (settings.home / "log.db").read_text() == "log"


def test_one_process_encrypts_a_home_at_a_time(
    settings: Settings, mounts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, rmtree, refused = content(settings), shutil.rmtree, []

    def encrypt_again(folder: Path) -> None:
        with pytest.raises(HomeInUse, match="another process encrypts"):
            encrypt_home(settings, KEY)
        refused.append(folder.name)
        rmtree(folder)

    monkeypatch.setattr(shutil, "rmtree", encrypt_again)
    encrypt_home(settings, KEY)
    assert refused == ["home.unencrypted"]
    assert content(settings) == before
    assert sorted(path.name for path in mounts.iterdir()) == ["home", "home.encrypted"]


def test_stores_and_links_that_leave_the_home_are_told(tmp_path: Path) -> None:
    home = tmp_path / "h ome"
    home.mkdir()
    assert stores_outside(Settings(home=home)) == {}
    (home / "inside").symlink_to("warehouse")
    (home / "data").symlink_to("../data")
    beside = f"{home}-warehouse"
    log = f"sqlite:///{quote(beside)}.db"
    settings = Settings(home=home, warehouse=beside, releases=f"s3://bucket{home}", interaction_log=log)
    assert stores_outside(settings) == {
        "warehouse": beside,
        "releases": f"s3://bucket{home}",
        "interaction_log": log,
        f"{home}/data": f"{tmp_path}/data",
    }


def test_sockets_and_pipes_are_left_out(settings: Settings) -> None:
    before = content(settings)
    os.mkfifo(settings.home / "pipe")
    with closing(socket.socket(socket.AF_UNIX)) as server, chdir(settings.home):
        server.bind("socket")
    encrypt_home(settings, KEY)
    assert content(settings) == before
    assert not {"pipe", "socket"} & {path.name for path in settings.home.iterdir()}


def test_a_file_that_can_not_be_read_is_named(
    settings: Settings, mounts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(settings)

    copyfile = shutil.copyfile

    def refuse_reading(source: os.DirEntry[str], copy: str, *, follow_symlinks: bool) -> None:
        if source.name == "log.db":
            raise PermissionError(13, "Permission denied", source.path)
        copyfile(source, copy, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(shutil, "copyfile", refuse_reading)
    with pytest.raises(
        ValueError, match=r"^\S+/home/log\.db can't be copied \(.*Permission denied.*\): correct"
    ):
        encrypt_home(settings, KEY)
    assert content(settings) == before
    assert [path.name for path in mounts.iterdir()] == ["home"]


def test_without_gocryptfs_nothing_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match="needs gocryptfs and fusermount3"):
        encrypt_home(Settings(home=tmp_path / "home"), KEY)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_name_of_a_key_file_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENCHANT_ENCRYPTION_KEY_FILE", "")
    assert load_settings(home=tmp_path).encryption_key() is None
    assert load_serving_settings(home=tmp_path).encryption_key() is None
