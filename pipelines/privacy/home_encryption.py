"""Encrypts a home: copies it, compares the copy, and deletes what is not encrypted.

While it lasts no command uses the home. A crash leaves it as it was, or encrypted with the other files still
to be deleted; a repeat goes on from there.
"""

import fcntl
import filecmp
import os
import shlex
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from components.errors import StepError
from feature_repo.store_addresses import is_file, without_password
from pipelines.errors import HomeInUse
from pipelines.local_run.run_lock import run_lock
from pipelines.settings import Settings
from serving.configuration.encrypted_folder import EncryptedFolder, check_tools, processes_in
from serving.configuration.encrypted_home import encrypted_home, new_encrypted_home, unencrypted_home

# What is copied and compared; a socket, pipe or device has no content: who needs one makes it again.
_COPIED: Final = (stat.S_ISREG, stat.S_ISDIR, stat.S_ISLNK)


def encrypt_home(settings: Settings, key: bytes) -> EncryptedFolder:
    """Encrypt a home, or create an encrypted one, and unlock it.

    Raises:
        HomeInUse: a run, a recommender, or another process that encrypts it uses the home.
        StepError: the copy differs from the home.
        ValueError: the home is encrypted already, is a volume of its own, has the key or a file that can't
            be copied, or is larger than the free space; or as of EncryptedFolder.unlock.
    """
    check_tools()
    home = settings.home.resolve()
    result, old = encrypted_home(home), unencrypted_home(home)
    _check_key_outside(settings)
    with _alone(home):
        if result.exists and not old.exists():
            raise ValueError(f"{home} is encrypted already, in {result.ciphertext}")
        if not result.exists:
            if old.exists():  # interrupted between the two renames
                old.rename(home)
            _replace(home, old, result, key)
        result.lock()  # a repeat may find it unlocked, and unlocking it checks the key
        result.unlock(key)
        shutil.rmtree(old)
    return result


def stores_outside(settings: Settings) -> dict[str, str]:
    """Return name and address of each store outside the home, and of each link that leads out of it."""
    addresses = {name: str(getattr(settings, name)) for name in (*settings.EMBEDDED, "review_history")}
    links = {str(file): str(file.resolve()) for file in settings.home.rglob("*") if file.is_symlink()}
    home, stores = settings.home.resolve(), addresses | links
    return {name: without_password(each) for name, each in stores.items() if not _is_in(home, each)}


def _is_in(home: Path, address: str) -> bool:
    """Return whether an address is a file or a SQLite database below the home."""
    if is_file(address):
        return Path(address).resolve().is_relative_to(home)
    url = urlsplit(address)
    if not url.scheme.startswith("sqlite"):
        return False
    return Path(unquote(url.path.removeprefix("/"))).resolve().is_relative_to(home)


def _check_key_outside(settings: Settings) -> None:
    """Raise ValueError if the file with the key, or one that the command names, would be encrypted."""
    home = settings.home.resolve()
    folders = (settings.home, home, encrypted_home(home).ciphertext, unencrypted_home(home))
    files = [settings.encryption_key_file] if settings.encryption_key_file else []
    files += [Path(word) for word in shlex.split(settings.encryption_key_command)]
    for file in files:
        places = (file.absolute(), file.resolve())
        if file.is_file() and any(place.is_relative_to(each) for place in places for each in folders):
            raise ValueError(
                f"the key in {file} would be encrypted with the home, and nobody could unlock it again: move "
                "it to a folder outside the home, then repeat this"
            )


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Let one process encrypt a home in its folder; a kill leaves no file of the lock.

    It is the folder that is locked, since the home itself is renamed.

    Raises:
        HomeInUse: another process has the lock.
    """
    home.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(home.parent, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise HomeInUse(
                f"another process encrypts {home}, or another home in {home.parent}: wait until it ends"
            ) from error
        yield
    finally:
        os.close(folder)


def _replace(home: Path, old: Path, result: EncryptedFolder, key: bytes) -> None:
    """Rename the home to `old`, and its encrypted copy to that of `result`."""
    if os.path.ismount(home):
        raise ValueError(f"{home} is a volume of its own: encrypt that, or let the home be a folder in it")
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    copy = new_encrypted_home(home)
    with run_lock(home):
        _delete(copy)  # of an interrupted command
        try:
            copy.create(key)  # from now on commands refuse the home
            _check_unused(home)
            _check_space(home)
            copy.unlock(key)
            _copy(home, copy.folder)
            copy.lock()
            os.sync()
            copy.unlock(key)
            _compare(home, copy.folder)
            copy.lock()
            copy.folder.rmdir()
            _check_unused(home)
            home.rename(old)
        except BaseException:
            _delete(copy)
            raise
        copy.ciphertext.rename(result.ciphertext)


def _copy(home: Path, copy: Path) -> None:
    """Copy what is copied of a home.

    Raises:
        ValueError: a file can't be copied.
    """

    def left_out(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if not _is_copied(Path(folder, name))]

    try:
        shutil.copytree(home, copy, symlinks=True, ignore=left_out, dirs_exist_ok=True)
    except shutil.Error as error:
        file, _, reason = error.args[0][0]
        raise ValueError(
            f"{file} can't be copied ({reason}): correct that, or move it out of the home, then repeat this; "
            "the home is left as it was"
        ) from error


def _is_copied(file: Path) -> bool:
    mode = file.lstat().st_mode
    return any(is_kind(mode) for is_kind in _COPIED)


def _delete(copy: EncryptedFolder) -> None:
    if copy.exists:
        copy.lock()
        shutil.rmtree(copy.ciphertext)
    if copy.folder.exists():
        copy.folder.rmdir()


def _check_unused(home: Path) -> None:
    if used := processes_in(home):
        raise HomeInUse(
            f"{home} is in use by processes {', '.join(map(str, used))}: stop them, such as "
            "`penchant serve`, then repeat this"
        )


def _check_space(home: Path) -> None:
    needed = sum(file.lstat().st_size for file in home.rglob("*"))
    free = shutil.disk_usage(home.parent).free
    if needed > free:
        raise ValueError(
            f"{home} has {needed / 1e9:.1f} GB, and its disk has {free / 1e9:.1f} GB for the encrypted copy: "
            "free some space, then repeat this"
        )


def _compare(home: Path, copy: Path) -> None:
    """Raise StepError unless each file of the copy is that of the home."""
    for file in filter(_is_copied, home.rglob("*")):
        copied = copy / file.relative_to(home)
        if file.is_symlink():
            is_same = copied.is_symlink() and copied.readlink() == file.readlink()
        else:
            is_same = copied.is_dir() if file.is_dir() else filecmp.cmp(file, copied, shallow=False)
        if not is_same:
            raise StepError(f"the encrypted copy of {file} differs from it; the home is left as it was")
