"""Without the key nobody reads an encrypted folder; with it every program works in it as in any other."""

import errno
import os
import re
import signal
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from serving.configuration.encrypted_folder import EncryptedFolder, processes_in
from tests.encrypted_homes import KEY
from tests.occurrences import files_with
from tests.patience import HANG_S, wait_until

MARK = "Marked-Person"
ROOT = Path(__file__).parents[3]


@pytest.fixture
def folder(mounts: Path) -> EncryptedFolder:
    folder = EncryptedFolder(mounts / "a plain folder", mounts / "encrypted")
    folder.create(KEY)
    return folder


def test_only_an_unlocked_folder_shows_its_files(folder: EncryptedFolder) -> None:
    folder.unlock(KEY)
    (folder.folder / MARK).write_text(MARK * 1_000)
    assert files_with(folder.folder, MARK)
    assert files_with(folder.ciphertext, MARK) == []

    folder.lock()
    assert not folder.is_unlocked
    assert list(folder.folder.iterdir()) == []
    with pytest.raises(ValueError, match=r"the key is wrong: .*encrypted was encrypted with another one"):
        folder.unlock(b"x" * 32)
    assert not folder.is_unlocked

    folder.unlock(KEY)
    folder.unlock(KEY)
    assert (folder.folder / MARK).read_text() == MARK * 1_000


@pytest.mark.parametrize("end", ["", "\n"])
def test_the_documented_command_sets_another_key(folder: EncryptedFolder, mounts: Path, end: str) -> None:
    (command,) = re.findall(r"`(printf [^`]*gocryptfs[^`]*)`", (ROOT / "SECURITY.md").read_text())
    (mounts / "key").write_text(f"{KEY.decode()}{end}")
    (mounts / "new-key").write_text(f"{KEY[::-1].decode()}{end}")
    (mounts / ".penchant.encrypted").symlink_to(folder.ciphertext)
    subprocess.run(["bash", "-c", command], cwd=mounts, check=True)
    with pytest.raises(ValueError, match="the key is wrong"):
        folder.unlock(KEY)
    folder.unlock(KEY[::-1])


def test_ten_commands_that_unlock_at_a_time_mount_it_once(folder: EncryptedFolder) -> None:
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(folder.unlock, [KEY] * 10))
    assert Path("/proc/self/mounts").read_text().count(str(folder.ciphertext)) == 1
    folder.lock()
    folder.lock()
    assert not folder.is_unlocked


def test_it_stays_unlocked_when_the_command_that_unlocked_it_is_killed(folder: EncryptedFolder) -> None:
    program = (
        "import os; from pathlib import Path\n"
        "from serving.configuration.encrypted_folder import EncryptedFolder\n"
        f"EncryptedFolder(Path({str(folder.folder)!r}), Path({str(folder.ciphertext)!r})).unlock({KEY!r})\n"
        "os.kill(0, 9)"
    )
    ended = subprocess.run([sys.executable, "-c", program], start_new_session=True)
    assert ended.returncode == -signal.SIGKILL
    assert folder.is_unlocked
    (folder.folder / "file").touch()


def test_it_is_unlocked_again_after_gocryptfs_was_killed(folder: EncryptedFolder) -> None:
    folder.unlock(KEY)
    (folder.folder / "file").write_text("kept")
    for process in Path("/proc").glob("[0-9]*"):
        command = (process / "cmdline").read_bytes()
        if b"gocryptfs" in command and os.fsencode(folder.ciphertext) in command:
            os.kill(int(process.name), signal.SIGKILL)
    wait_until(lambda: not folder.is_unlocked)

    folder.unlock(KEY)
    assert (folder.folder / "file").read_text() == "kept"


@pytest.mark.parametrize("code", [errno.ENOTCONN, errno.ECONNABORTED, errno.EIO])
def test_a_mount_whose_gocryptfs_was_killed_is_not_unlocked(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    folder = EncryptedFolder(tmp_path / "plain", tmp_path / "encrypted")
    monkeypatch.setattr(EncryptedFolder, "_is_mounted", lambda _: True)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "stat", fail)
        is_unlocked = folder.is_unlocked
    assert not is_unlocked


def test_it_is_not_locked_under_a_process_that_uses_it(folder: EncryptedFolder) -> None:
    folder.unlock(KEY)
    with subprocess.Popen(["cat"], cwd=folder.folder, stdin=subprocess.PIPE) as process:
        wait_until(lambda: processes_in(folder.folder) == [process.pid])
        with pytest.raises(ValueError, match=f"in use by processes {process.pid}: stop them"):
            folder.lock()
        assert folder.is_unlocked
        process.communicate(timeout=HANG_S)
    folder.lock()


def test_only_root_can_write_into_a_locked_folder(folder: EncryptedFolder) -> None:
    folder.unlock(KEY)
    assert stat.S_IMODE(folder.folder.stat().st_mode) == 0o700
    folder.lock()
    assert stat.S_IMODE(folder.folder.stat().st_mode) == 0o500
    with pytest.raises(ValueError, match="the key is wrong"):
        folder.unlock(KEY[::-1])
    assert stat.S_IMODE(folder.folder.stat().st_mode) == 0o500


def test_files_that_were_written_while_it_was_locked_are_not_hidden(folder: EncryptedFolder) -> None:
    folder.folder.mkdir()
    (folder.folder / "plain").touch()
    with pytest.raises(ValueError, match="files lie in it that are not encrypted"):
        folder.unlock(KEY)


def test_without_the_tools_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match="needs gocryptfs and fusermount3: install Debian's packages"):
        EncryptedFolder(tmp_path / "plain", tmp_path / "encrypted").create(KEY)


WRITER = """
import sqlite3, sys
with sqlite3.connect(f"{sys.argv[1]}/log.db") as log:
    for number in range(200):
        log.execute("INSERT INTO log VALUES (?)", (number,))
        log.commit()
    print(log.execute("PRAGMA journal_mode").fetchone()[0], flush=True)
    sys.stdin.read()
"""


def test_two_processes_share_its_databases(folder: EncryptedFolder) -> None:
    """Of SQLite's write-ahead log both map the index; a DuckDB file one process locks for itself."""
    folder.unlock(KEY)
    database, table = folder.folder / "log.db", folder.folder / "table.db"
    with closing(sqlite3.connect(database)) as log:
        log.execute("PRAGMA journal_mode = wal")
        log.execute("CREATE TABLE log (number INTEGER)")
        command = [sys.executable, "-c", WRITER, str(folder.folder)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "wal\n"
            log.execute("INSERT INTO log VALUES (-1)")
            log.commit()
            assert log.execute("SELECT count(*), sum(number) FROM log").fetchone() == (201, 19_899)
            writer.communicate(timeout=HANG_S)
    with duckdb.connect(table) as connection:
        connection.execute("CREATE TABLE numbers AS SELECT range AS number FROM range(100_000)")
        other = f"import duckdb; duckdb.connect({str(table)!r})"
        refused = subprocess.run([sys.executable, "-c", other], capture_output=True, text=True)
        assert "Could not set lock" in refused.stderr
    folder.lock()

    folder.unlock(KEY)
    with duckdb.connect(table) as connection:
        assert connection.execute("SELECT sum(number) FROM numbers").fetchone() == (4_999_950_000,)
    with closing(sqlite3.connect(database)) as log:
        assert log.execute("PRAGMA integrity_check").fetchone() == ("ok",)
