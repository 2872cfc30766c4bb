"""Encrypted folders for tests, which are unmounted at the end."""

import subprocess
from pathlib import Path
from typing import Final

import pytest

from serving.configuration.encrypted_folder import EncryptedFolder, mounted_folders

KEY: Final = b"0123456789abcdef0123456789abcdef"


def skip_without_fuse(folder: Path) -> None:
    """Skip the test where gocryptfs can mount nothing; `folder` is empty."""
    probe = EncryptedFolder(folder / "plain", folder / "encrypted")
    try:
        probe.create(KEY)
        probe.unlock(KEY)
        probe.lock()
    except ValueError as error:
        pytest.skip(f"no encrypted folder can be mounted here: {error}")


def unmount_all(root: Path) -> None:
    """Unmount the encrypted folders below `root`, even those in use."""
    for folder in mounted_folders():
        if folder.is_relative_to(root):
            subprocess.run(["fusermount3", "-u", "-z", "--", str(folder)], check=True)
