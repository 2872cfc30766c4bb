"""A folder whose files are encrypted by gocryptfs: unlocked, it is a mount that shows them decrypted.

The mount belongs to no command: gocryptfs runs in the background until `lock` or a restart of the machine.
"""

import errno
import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_MOUNTS: Final = Path("/proc/self/mounts")
_TYPE: Final = b"fuse.gocryptfs"

# The least work for a guess: nobody guesses a random key, and each unlocking would take that long, too.
_SCRYPT: Final = "10"

_TOOLS: Final = ("gocryptfs", "fusermount3")

# The mode of the mount point below the mount: nobody but root writes files into a locked folder.
_LOCKED: Final = 0o500

# Errors of a mount whose gocryptfs was killed; EIO of a call that it had not answered.
_KILLED: Final = (errno.ENOTCONN, errno.ECONNABORTED, errno.EIO)

# gocryptfs(1), exit codes.
_WRONG_KEY: Final = 12
_NO_FUSE: Final = 19
_NO_FUSE_ADVICE: Final = (
    ". It needs /dev/fuse: start a container with `--device /dev/fuse --cap-add SYS_ADMIN`, or keep the home "
    "on an encrypted volume instead"
)


@dataclass(frozen=True)
class EncryptedFolder:
    """`ciphertext` has the encrypted files, and `folder` shows them while it is unlocked; resolved paths."""

    folder: Path
    ciphertext: Path

    @property
    def exists(self) -> bool:
        return self.ciphertext.is_dir()

    @property
    def is_unlocked(self) -> bool:
        """Whether the folder shows its files.

        Raises:
            PermissionError: another user has unlocked it.
        """
        if not self._is_mounted():
            return False
        try:
            self.folder.stat()
        except OSError as error:
            if error.errno in _KILLED:
                return False
            raise
        return True

    def create(self, key: bytes) -> None:
        """Make an empty encrypted folder, locked."""
        self.ciphertext.mkdir(mode=0o700)
        _run("gocryptfs", "-init", "-q", "-scryptn", _SCRYPT, "--", str(self.ciphertext), key=key)

    def unlock(self, key: bytes) -> None:
        """Mount the folder; it stays so if it is.

        Raises:
            ValueError: the key is wrong, files lie in the folder unencrypted, gocryptfs is not installed, or
                FUSE can't be used.
        """
        with self._locked():
            if self.is_unlocked:
                return
            if self._is_mounted():
                _run("fusermount3", "-u", "-z", "--", str(self.folder))
            self.folder.mkdir(mode=_LOCKED, exist_ok=True)
            if any(self.folder.iterdir()):
                raise ValueError(
                    f"{self.folder} is locked, but files lie in it that are not encrypted: another program "
                    "has written them; move them elsewhere, then repeat this"
                )
            with _writable(self.folder):
                _run("gocryptfs", "-q", "--", str(self.ciphertext), str(self.folder), key=key)

    def lock(self) -> None:
        """Unmount the folder; it stays so if it is not mounted.

        Raises:
            ValueError: a process uses it.
        """
        with self._locked():
            if not self._is_mounted():
                return
            if used := processes_in(self.folder):
                raise ValueError(
                    f"{self.folder} is in use by processes {', '.join(map(str, used))}: stop them, such as a "
                    "run or `penchant serve`, then repeat this"
                )
            _run("fusermount3", "-u", "--", str(self.folder))

    def _is_mounted(self) -> bool:
        return self.folder in mounted_folders()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one process mount or unmount at a time: a second mount would hide the first."""
        descriptor = os.open(self.ciphertext, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def mounted_folders() -> list[Path]:
    """Return the folders at which gocryptfs shows encrypted files, also where it was killed."""
    if not _MOUNTS.exists():
        return []
    mounts = (line.split() for line in _MOUNTS.read_bytes().splitlines())
    return [_unescaped(folder) for _, folder, kind, *_ in mounts if kind == _TYPE]


def processes_in(folder: Path) -> list[int]:
    """Return the ids of this user's other processes that have a file of the folder open, or work in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or belongs to another user
            links = [process / "cwd", *(process / "fd").iterdir()]
            if any(link.readlink().is_relative_to(folder) for link in links):
                found.append(int(process.name))
    return sorted(set(found) - {os.getpid()})


def _unescaped(path: bytes) -> Path:
    """Return a path of the table of mounts, where blanks are octal numbers."""
    return Path(os.fsdecode(re.sub(rb"\\(\d{3})", lambda found: bytes([int(found[1], 8)]), path)))


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    """Let this user write to a mount point, without which fusermount3 mounts nothing there.

    The descriptor is that of the mount point, also when the path leads to what is mounted.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fchmod(descriptor, 0o700)
        yield
    finally:
        os.fchmod(descriptor, _LOCKED)
        os.close(descriptor)


def check_tools() -> None:
    """Raise ValueError where no folder can be encrypted: on macOS, or without gocryptfs."""
    if sys.platform != "linux":
        raise ValueError("an encrypted home needs Linux; on macOS use FileVault or an encrypted APFS volume")
    if missing := [tool for tool in _TOOLS if not shutil.which(tool)]:
        raise ValueError(
            f"an encrypted home needs {' and '.join(missing)}: install Debian's packages gocryptfs and fuse3"
        )


def _run(*command: str, key: bytes = b"") -> None:
    """Run a tool that reads the key from its standard input, where no other process sees it."""
    check_tools()
    ended = subprocess.run(command, input=key, capture_output=True)
    if ended.returncode == _WRONG_KEY:
        raise ValueError(f"the key is wrong: {command[-2]} was encrypted with another one")
    if ended.returncode:
        reason = "; ".join(ended.stderr.decode(errors="replace").strip().splitlines())
        advice = _NO_FUSE_ADVICE if ended.returncode == _NO_FUSE else ""
        raise ValueError(f"`{' '.join(command)}` failed: {reason}{advice}")
