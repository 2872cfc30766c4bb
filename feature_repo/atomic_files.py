"""Atomic replacement of files and directories: a reader gets the old version or the new one, never a part.

The new version is written to a hidden folder next to its target (the same file system), and then renamed.

- *error*: the old version stays, and the hidden folder is deleted.
- *two writers*: each has a hidden folder of its own; the last one to finish wins.
- *killed writer*: the next write of the same target deletes its hidden folder. A file lock tells whether the
  writer is still alive; on a file system without locks the folder stays.

Nothing is synced to the disk: a power failure may lose the newest version.
"""

import errno
import fcntl
import glob
import itertools
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

LOCK: Final = ".lock"


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """Yield a path to write to; the file becomes `target` when the block ends without an error."""
    with _staged(target) as staged:
        yield staged
        staged.replace(target)


@contextmanager
def atomic_directory(target: Path) -> Iterator[Path]:
    """Yield an empty directory; it becomes `target` when the block ends without an error.

    For an instant between two renames there is no `target`.
    """
    with staging_directory(target) as staged:
        yield staged
        for number in itertools.count():
            with suppress(FileNotFoundError):
                target.rename(staged.with_name(f".old-{number}"))
            try:
                staged.rename(target)
                return
            except OSError as error:
                # Another writer was faster: replace its version too.
                if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                    raise


@contextmanager
def atomic_upload(filesystem: AbstractFileSystem, path: str) -> Iterator[IO[Any]]:
    """Yield an open binary file; it becomes `path` on `filesystem` when the block ends without an error."""
    if isinstance(filesystem, LocalFileSystem):
        with atomic_file(Path(path)) as local, local.open("wb") as file:
            yield file
        return
    filesystem.makedirs(path.rpartition("/")[0], exist_ok=True)
    staged = f"{path}.{uuid.uuid4().hex}.part"
    try:
        with filesystem.open(staged, "wb") as file:
            yield file
        filesystem.mv(staged, path)
    except BaseException:
        with suppress(FileNotFoundError):
            filesystem.rm(staged)
        raise


def write_text_atomically(target: Path, text: str) -> None:
    """Replace `target` by `text` in UTF-8."""
    with atomic_file(target) as staged:
        staged.write_text(text, encoding="utf-8")


@contextmanager
def staging_directory(target: Path) -> Iterator[Path]:
    """Yield an empty directory on the file system of `target`; it is deleted when the block ends."""
    with _staged(target) as staged:
        staged.mkdir()
        yield staged


def remove_directory(target: Path) -> None:
    """Delete a directory that may have readers: it disappears in one step, then its files are deleted."""
    with _staged(target) as unused, suppress(FileNotFoundError):
        target.rename(unused)


@contextmanager
def _staged(target: Path) -> Iterator[Path]:
    """Yield an unused path with the file name of `target`, because libraries append a missing suffix."""
    target.parent.mkdir(parents=True, exist_ok=True)
    delete_leftovers(target.parent, glob.escape(target.name))
    prefix = f".{target.name}."
    with (
        tempfile.TemporaryDirectory(dir=target.parent, prefix=prefix, ignore_cleanup_errors=True) as folder,
        _locked(Path(folder)),
    ):
        yield Path(folder, target.name)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a lock on the file LOCK of `folder`; the file gets its name only once it is locked."""
    with Path(folder, f"{LOCK}.new").open("w") as file:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
            Path(file.name).rename(folder / LOCK)
        yield


def delete_leftovers(parent: Path, names: str = "*") -> None:
    """Delete the hidden folders in `parent` whose writers were killed, of targets with these names.

    Only for a folder in which all hidden folders are of this module.
    """
    for lock in parent.glob(f".{names}.*/{LOCK}"):
        with suppress(OSError), lock.open("r+") as file:  # its writer is alive, or has just finished
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)
