"""Finds the files that a path, a URL, a folder or a pattern stands for."""

import difflib
import hashlib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import fsspec
from fsspec import AbstractFileSystem

from components.errors import StepError
from components.ingest_interactions.files import part_files
from components.ingest_interactions.files.part_files import Listing, SourceFile
from components.ingest_interactions.files.staging import Staging


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
            return _parts(table, url, filesystem, part_files.in_folder(filesystem, url, path))
        if part_files.MAGIC.search(path):
            return _parts(table, url, filesystem, part_files.matching(filesystem, url, path))
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
    """Return a local path of the file; a remote file is downloaded, unless this connection did it before.

    Raises:
        StepError: the download failed.
    """
    if "file" in location.filesystem.protocol:
        return Path(file.path)
    key = hashlib.sha256(f"{url}\0{file.path}".encode()).hexdigest()
    target = staging.downloads / key
    if not target.exists():
        incoming = staging.new("download")
        try:
            location.filesystem.get_file(file.path, str(incoming))
        except (OSError, ValueError) as error:
            raise unreachable(table, url, error) from error
        incoming.rename(target)
    return target


def _parts(table: str, url: str, filesystem: AbstractFileSystem, listing: Listing) -> Location:
    if listing.parts:
        return Location(_name(url), filesystem, listing.parts, listing.ignored, is_single=False)
    rest = f"; ignored: {_names(listing.ignored)}" if listing.ignored else ""
    raise StepError(f"the {table} file {url} can't be read (no table files there{rest}): {_advice(table)}")


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
