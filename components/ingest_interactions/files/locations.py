"""Finds the files that a path, a URL, a folder or a pattern stands for."""

import difflib
import glob
import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

import fsspec
from fsspec import AbstractFileSystem

from components.errors import StepError
from components.ingest_interactions.files.staging import Staging

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
class Location:
    """What a path stands for; `name` is its last part."""

    name: str
    filesystem: AbstractFileSystem
    files: list[SourceFile]
    ignored: list[str] = field(default_factory=list)
    is_single: bool = True


def locate(table: str, url: str) -> Location:
    """Return the files at `url`. A path that exists is that file, even if it has `*`, `?` or `[1]` in it.

    Raises:
        StepError: there is none, or it can't be reached.
    """
    filesystem, path = _filesystem(table, url)
    name = _name(url)
    try:
        if "http" in filesystem.protocol or filesystem.isfile(path):
            return Location(name, filesystem, [SourceFile(name, path)])
        if filesystem.isdir(path):
            return _folder(table, url, filesystem, path, _walk(filesystem, path))
        if MAGIC.search(path):
            fixed, rest = _literal_folder(filesystem, path)
            found = _matches(filesystem, f"{glob.escape(fixed)}/{rest}")
            return _folder(table, url, filesystem, fixed, found)
    except (OSError, ValueError) as error:
        raise unreachable(table, url, error) from error
    raise StepError(f"the {table} file {url} can't be read ({_missing(path)}): {_advice(table)}")


def unreachable(table: str, url: str, error: Exception) -> StepError:
    """Return an error for a path that can't be read."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    if isinstance(error, FileNotFoundError):
        reason = "No such file or directory"
    return StepError(f"the {table} file {url} can't be read ({reason}): {_advice(table)}")


def fetch(table: str, url: str, location: Location, file: SourceFile, staging: Staging) -> Path:
    """Return a local path of the file; a remote file is downloaded.

    Raises:
        StepError: the download failed.
    """
    if "file" in location.filesystem.protocol:
        return Path(file.path)
    target = staging.new(f"download{PurePosixPath(file.path).suffix}")
    try:
        location.filesystem.get_file(file.path, str(target))
    except (OSError, ValueError) as error:
        raise unreachable(table, url, error) from error
    return target


def _advice(table: str) -> str:
    return f"give the path of a table, a folder of part files or a pattern with --{table} FILE"


def _filesystem(table: str, url: str) -> tuple[AbstractFileSystem, str]:
    local = fsspec.filesystem("file")
    if "://" not in url:
        return local, str(Path(url).expanduser().absolute())
    try:
        return fsspec.url_to_fs(url)  # type: ignore[no-any-return]
    except (ImportError, ValueError) as error:
        raise unreachable(table, url, error) from error


def _name(url: str) -> str:
    path = unquote(urlsplit(url).path) if url.startswith(("http://", "https://")) else url
    return PurePosixPath(path).name or url


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


def _folder(
    table: str, url: str, filesystem: AbstractFileSystem, root: str, found: dict[str, int]
) -> Location:
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
    if not files:
        rest = f"; ignored: {_names(ignored)}" if ignored else ""
        raise StepError(
            f"the {table} file {url} can't be read (no table files there{rest}): {_advice(table)}"
        )
    keys = {tuple(file.partitions) for file in files}
    if len(keys) > 1:
        raise StepError(
            f"{url}: its files have different partitions ({_partition_keys(keys)}): "
            "give one folder or a pattern of files with the same partitions"
        )
    return Location(_name(url), filesystem, files, ignored, is_single=False)


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


def _names(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _missing(path: str) -> str:
    if Path(path).exists():
        return "not a regular file"
    folder = Path(path).parent
    files = [file.name for file in folder.iterdir() if file.exists()] if folder.is_dir() else []
    close = difflib.get_close_matches(Path(path).name, files, 1)
    return "No such file or directory" + (f"; did you mean {close[0]}?" if close else "")
