"""Lists the files of a folder or a pattern that are parts of a table."""

import glob
import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from fsspec import AbstractFileSystem

from components.errors import StepError

MAGIC: Final = re.compile(r"[*?\[]")
NO_TABLE: Final = re.compile(
    r"(?i)(^(readme|licen[cs]e|changelog|thumbs\.db|desktop\.ini)\b.*"
    r"|.*\.(crc|md5|sha1|sha256|sha512|asc|sig|toml|md|html?|pdf|png|jpe?g|svg|ipynb|py|sh|sql|log))$"
)
TABLE_FORMATS: Final = {
    "_delta_log": "a Delta table: some of its files may hold deleted rows",
    ".hoodie": "a Hudi table: some of its files may hold deleted rows",
}


@dataclass(frozen=True)
class SourceFile:
    """One file; `name` is relative to the folder, `partitions` are the Hive columns in its path."""

    name: str
    path: str
    size: int = 0
    partitions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Listing:
    """The parts in the order of the numbers in their names, and the names of other files beside them."""

    parts: list[SourceFile]
    ignored: list[str]


def in_folder(filesystem: AbstractFileSystem, url: str, path: str) -> Listing:
    """Return the parts in a folder and its folders.

    Raises:
        StepError: the folder is a table with deleted rows, or its parts have different partitions.
    """
    return _list(url, path, _walk(filesystem, path))


def matching(filesystem: AbstractFileSystem, url: str, pattern: str) -> Listing:
    """Return the parts that match a pattern; folders in it that exist as they are written are no pattern.

    Raises:
        StepError: the parts have different partitions.
    """
    fixed, rest = _literal_folder(filesystem, pattern)
    return _list(url, fixed, _matches(filesystem, f"{glob.escape(fixed)}/{rest}"))


def _walk(filesystem: AbstractFileSystem, path: str) -> dict[str, int]:
    found = filesystem.find(path, detail=True, withdirs=False)
    return {file: int(details["size"] or 0) for file, details in found.items()}


def _literal_folder(filesystem: AbstractFileSystem, pattern: str) -> tuple[str, str]:
    """Split a pattern after the folders that exist as they are written."""
    parts = pattern.split("/")
    for count in range(len(parts) - 1, 0, -1):
        folder = "/".join(parts[:count])
        if not MAGIC.search(folder) or filesystem.isdir(folder):
            return folder, "/".join(parts[count:])
    return "", pattern


def _matches(filesystem: AbstractFileSystem, path: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for file, details in filesystem.glob(path, detail=True).items():
        if details["type"] == "directory":
            found |= _walk(filesystem, file)
        else:
            found[file] = int(details["size"] or 0)
    return found


def _list(url: str, root: str, found: dict[str, int]) -> Listing:
    files, ignored = [], []
    for path in sorted(found, key=_natural):
        name = (
            str(PurePosixPath(path).relative_to(root)) if PurePosixPath(path).is_relative_to(root) else path
        )
        _refuse_table_format(url, name)
        if _is_hidden(name) or NO_TABLE.match(PurePosixPath(path).name) or not found[path]:
            ignored.append(name)
        else:
            files.append(SourceFile(name, path, found[path], _partitions(path)))
    keys = {tuple(file.partitions) for file in files}
    if len(keys) > 1:
        raise StepError(
            f"{url}: its files have different partitions ({_partition_keys(keys)}): "
            "give one folder or a pattern of files with the same partitions"
        )
    return Listing(files, ignored)


def _refuse_table_format(url: str, name: str) -> None:
    parts = PurePosixPath(name).parts
    for folder, kind in TABLE_FORMATS.items():
        if folder in parts:
            raise StepError(f"{url} is {kind}. Export its current rows as Parquet, and give that folder")
    if len(parts) > 1 and parts[-2] == "metadata" and parts[-1].endswith(".metadata.json"):
        raise StepError(
            f"{url} is an Iceberg table: some of its files may hold deleted rows. Export its current rows as "
            "Parquet, and give that folder"
        )


def _is_hidden(name: str) -> bool:
    return any(
        part.startswith(".") or (part.startswith("_") and "=" not in part) or part == "__MACOSX"
        for part in PurePosixPath(name).parts
    )


def _partitions(path: str) -> dict[str, str]:
    """Return the `key=value` folders directly above the file."""
    found: list[tuple[str, str]] = []
    for folder in PurePosixPath(path).parent.parts[::-1]:
        key, separator, value = folder.partition("=")
        if not (key and separator):
            break
        found.append((key, value))
    return dict(found[::-1])


def _partition_keys(keys: set[tuple[str, ...]]) -> str:
    return "; ".join(", ".join(key) or "none" for key in sorted(keys))


def _natural(path: str) -> list[tuple[int, str]]:
    """Sort part-2 before part-10."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", path)]
