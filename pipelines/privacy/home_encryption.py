"""Encrypts a home: copies it, compares the copy, and deletes what is not encrypted.

While it lasts no command uses the home. A crash leaves it as it was, or encrypted with the other files still
to be deleted; a repeat goes on from there.
"""

import filecmp
import os
import shutil
from pathlib import Path
from urllib.parse import unquote

from components.errors import StepError
from feature_repo.store_addresses import without_password
from pipelines.errors import HomeInUse
from pipelines.local_run.run_lock import run_lock
from pipelines.settings import Settings
from serving.configuration.encrypted_folder import EncryptedFolder, processes_in
from serving.configuration.encrypted_home import encrypted_home, new_encrypted_home, unencrypted_home


def encrypt_home(settings: Settings, key: bytes) -> EncryptedFolder:
    """Encrypt a home, or create an encrypted one, and unlock it.

    Raises:
        HomeInUse: a run or a recommender uses the home.
        StepError: the copy differs from the home.
        ValueError: the home is encrypted already, is a volume of its own, or is larger than the free space;
            or as of EncryptedFolder.unlock.
    """
    home = settings.home.resolve()
    result, old = encrypted_home(home), unencrypted_home(home)
    if result.exists and not old.exists():
        raise ValueError(f"{home} is encrypted already, in {result.ciphertext}")
    if not result.exists:
        if old.exists():  # interrupted between the two renames
            old.rename(home)
        _replace(home, old, result, key)
    shutil.rmtree(old)
    result.unlock(key)
    return result


def stores_outside(settings: Settings) -> dict[str, str]:
    """Return the name and address of each store that does not lie in the home."""
    addresses = {name: str(getattr(settings, name)) for name in (*settings.EMBEDDED, "review_history")}
    home = str(settings.home)
    return {name: without_password(each) for name, each in addresses.items() if home not in unquote(each)}


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
            shutil.copytree(home, copy.folder, symlinks=True, dirs_exist_ok=True)
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
    for file in home.rglob("*"):
        copied = copy / file.relative_to(home)
        if file.is_symlink():
            is_same = copied.is_symlink() and copied.readlink() == file.readlink()
        else:
            is_same = copied.is_dir() if file.is_dir() else filecmp.cmp(file, copied, shallow=False)
        if not is_same:
            raise StepError(f"the encrypted copy of {file} differs from it; the home is left as it was")
