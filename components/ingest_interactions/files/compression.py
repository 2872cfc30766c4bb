"""Unpacks compressed files and archives, which it recognises by their first bytes."""

import bz2
import gzip
import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import Any, Final

import pyarrow as pa

from components.errors import StepError
from components.ingest_interactions.files.part_files import NO_TABLE
from components.ingest_interactions.files.staging import Staging

BLOCK: Final = 1 << 20
TAR_MAGIC: Final = (257, b"ustar")


def _zstd(path: Path) -> AbstractContextManager[Any]:
    return pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")  # type: ignore[no-any-return]


# Name -> first bytes, function that opens the content.
STREAMS: Final[dict[str, tuple[bytes, Callable[[Path], AbstractContextManager[Any]]]]] = {
    "gzip": (b"\x1f\x8b", gzip.open),
    "zstd": (b"\x28\xb5\x2f\xfd", _zstd),
    "bzip2": (b"BZh", bz2.open),
    "xz": (b"\xfd7zXZ\x00", lzma.open),
}
BINARY_WORKBOOK: Final = "xl/workbook.bin"
WORKBOOK_PARTS: Final = ("xl/workbook.xml", BINARY_WORKBOOK, "content.xml")
DAMAGE: Final = (
    OSError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.TarError,
    pa.ArrowInvalid,
)


def detect(path: Path) -> str:
    """Return "gzip", "zstd", "bzip2", "xz", "zip", "tar", or "none"; a workbook is no zip."""
    with path.open("rb") as file:
        head = file.read(512)
    for name, (magic, _) in STREAMS.items():
        if head.startswith(magic):
            return name
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")) and not is_workbook(path):
        return "zip"
    offset, magic = TAR_MAGIC
    return "tar" if head[offset:].startswith(magic) else "none"


def is_workbook(path: Path, parts: tuple[str, ...] = WORKBOOK_PARTS) -> bool:
    """Return whether a zip file has one of these parts: those of an .xlsx, .xlsb or .ods workbook."""
    try:
        with zipfile.ZipFile(path) as archive:
            return not set(parts).isdisjoint(archive.namelist())
    except zipfile.BadZipFile:
        return False


def unpack(path: Path, compression: str, name: str, member: str | None, staging: Staging) -> tuple[Path, str]:
    """Unpack one layer; return the content and its name.

    Raises:
        StepError: the file is damaged, or an archive has not exactly one table and `member` names none.
    """
    try:
        if compression in STREAMS:
            target = staging.new()
            with STREAMS[compression][1](path) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file, BLOCK)
            return target, _without_suffix(name)
        return _extract(path, compression, name, member, staging)
    except DAMAGE as error:
        if "No space left on device" in str(error):
            raise
        raise StepError(
            f"{name}: the {compression} file is damaged or cut short ({error}): copy or download it again"
        ) from error


def _extract(path: Path, kind: str, name: str, member: str | None, staging: Staging) -> tuple[Path, str]:
    target = staging.new()
    if kind == "zip":
        with zipfile.ZipFile(path) as archive:
            names = [info.filename for info in archive.infolist() if not info.is_dir() and info.file_size]
            chosen = _choose(names, name, member)
            if archive.getinfo(chosen).flag_bits & 1:
                raise StepError(
                    f"{name}: {chosen} is encrypted: unpack it with its password, and give that file"
                )
            with archive.open(chosen) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file, BLOCK)
    else:
        with tarfile.open(path) as tar:
            names = [info.name for info in tar.getmembers() if info.isfile() and info.size]
            chosen = _choose(names, name, member)
            with tar.extractfile(chosen) as source, target.open("wb") as file:  # type: ignore[union-attr]
                shutil.copyfileobj(source, file, BLOCK)
    return target, chosen


def _choose(names: list[str], archive: str, member: str | None) -> str:
    """Return the only table of an archive, or the one that the user named."""
    tables = [name for name in names if not _is_accessory(name)]
    if member is not None:
        matching = [name for name in names if member in (name, PurePosixPath(name).name)]
        if len(matching) == 1:
            return matching[0]
    elif len(tables) == 1:
        return tables[0]
    found = ", ".join(tables[:20]) + (f" and {len(tables) - 20} more" if len(tables) > 20 else "")
    if not names:
        raise StepError(f"{archive}: the archive is empty; expected a table in it")
    problem = f"has no single file {member!r}" if member is not None else f"holds {len(tables)} tables"
    raise StepError(
        f"{archive}: the archive {problem}; it has: {found or ', '.join(names[:20])}. Say which one with "
        "--reading member=NAME, or unpack the archive"
    )


def _is_accessory(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(NO_TABLE.match(parts[-1])) or any(part.startswith((".", "__MACOSX")) for part in parts)


def _without_suffix(name: str) -> str:
    suffix = PurePosixPath(name).suffix.lower()
    if suffix == ".tgz":
        return name[: -len(suffix)] + ".tar"
    return name[: -len(suffix)] if suffix in {".gz", ".gzip", ".zst", ".zstd", ".bz2", ".xz"} else name
