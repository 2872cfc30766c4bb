"""Opens the file system of an address with fsspec; a local path is taken as it is."""

import glob
from pathlib import Path
from typing import IO

import fsspec
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from feature_repo.store_addresses import is_file, without_password


def locate(address: str) -> tuple[AbstractFileSystem, str]:
    """Return the file system and the path in it of a local path or an fsspec URL.

    fsspec alone would read `::` in a local path as a chain of file systems.

    Raises:
        ValueError: there is no such protocol, or its package is not installed.
    """
    if is_file(address):
        return LocalFileSystem(), str(Path(address).absolute())
    try:
        filesystem, path = fsspec.url_to_fs(address)
    except (ImportError, ValueError) as error:
        raise ValueError(f"{without_password(address)}: {error}, or choose another address") from error
    return filesystem, path


def without_wildcards(path: str | Path) -> str:
    """Return a path for the readers of DuckDB and Ibis.

    They take `*`, `?` and `[1]` in a path for a pattern.
    """
    return glob.escape(str(path))


def open_binary(address: str) -> IO[bytes]:
    """Open a file for reading.

    Raises:
        FileNotFoundError: there is no such file.
    """
    filesystem, path = locate(address)
    file: IO[bytes] = filesystem.open(path, "rb")
    return file
