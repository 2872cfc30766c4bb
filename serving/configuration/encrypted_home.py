"""Opens an encrypted home for a process, whose temporary files then lie in it, too."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from feature_repo.process_folders import make_folder_of_this_process
from serving.configuration.encrypted_folder import EncryptedFolder

# A folder for each process of an encrypted home, with its temporary files.
TEMPORARY: Final = "tmp"


def encrypted_home(home: Path) -> EncryptedFolder:
    """Return the encrypted folder of a home; its encrypted files lie beside it, in <home>.encrypted."""
    home = home.resolve()
    return EncryptedFolder(home, home.with_name(f"{home.name}.encrypted"))


def new_encrypted_home(home: Path) -> EncryptedFolder:
    """Return the copy that becomes the encrypted home, while a home is being encrypted."""
    home = home.resolve()
    return EncryptedFolder(
        home.with_name(f"{home.name}.encrypted-copy"), home.with_name(f"{home.name}.encrypted-new")
    )


def unencrypted_home(home: Path) -> Path:
    """Return where a home lies that is encrypted now, until it is deleted."""
    home = home.resolve()
    return home.with_name(f"{home.name}.unencrypted")


def open_home(home: Path, has_key: bool, read_key: Callable[[], bytes | None]) -> None:
    """Unlock a home that is encrypted and locked; one that is not encrypted is left as it is.

    Raises:
        ValueError: there is no key, or a wrong one, or a key for a home that is not encrypted, or the home is
            being encrypted.
    """
    encrypted = encrypted_home(home)
    if unencrypted_home(home).exists() or new_encrypted_home(home).exists:
        raise ValueError(
            f"{home} is being encrypted; if nobody does that now, it was interrupted: repeat "
            f"`penchant home encrypt --home {home}`"
        )
    if not encrypted.exists:
        if has_key:
            raise ValueError(
                f"there is an encryption key, but {home} is not encrypted: `penchant home encrypt --home "
                f"{home}` does that; to go on without, unset PENCHANT_ENCRYPTION_KEY_FILE and "
                "PENCHANT_ENCRYPTION_KEY_COMMAND"
            )
        return
    if not encrypted.is_unlocked:
        key = read_key()
        if key is None:
            raise ValueError(
                f"{home} is encrypted, and locked: set PENCHANT_ENCRYPTION_KEY_FILE, or "
                "PENCHANT_ENCRYPTION_KEY_COMMAND, with which every command unlocks it"
            )
        encrypted.unlock(key)
    _use_temporary_folder(home / TEMPORARY)


def _use_temporary_folder(folder: Path) -> None:
    """Let this process, and those that it starts, write temporary files to its own folder in `folder`."""
    os.environ["TMPDIR"] = tempfile.tempdir = str(make_folder_of_this_process(folder))
