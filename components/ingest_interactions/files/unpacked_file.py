"""Turns one file of a user into a local file of one kind: unpacked, and as UTF-8 if it is text."""

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from components.errors import StepError
from components.ingest_interactions.files import compression, formats, json_objects, text_encoding, utf8_copy
from components.ingest_interactions.files.line_ends import count_line_ends
from components.ingest_interactions.files.staging import Staging
from components.ingest_interactions.reading import Reading
from feature_repo.counts import counted

MOST_LAYERS: Final = 4
# Endings that promise a kind of table.
PROMISES: Final = {
    ".csv": "text", ".tsv": "text", ".txt": "text", ".dat": "text", ".json": "JSON", ".jsonl": "JSON",
    ".ndjson": "JSON", ".parquet": "Parquet", ".pq": "Parquet", ".xlsx": "workbook", ".xls": "workbook",
    ".ods": "workbook", ".feather": "Arrow", ".arrow": "Arrow", ".orc": "ORC",
}  # fmt: skip
COMPRESSED: Final = {
    ".gz": "gzip",
    ".zst": "zstd",
    ".bz2": "bzip2",
    ".xz": "xz",
    ".zip": "zip",
    ".tgz": "gzip",
    ".tar": "tar",
}


@dataclass(frozen=True)
class UnpackedFile:
    """`kind` is text, JSON, Parquet, Arrow, ORC or workbook; `layers` says what was around it."""

    path: Path
    kind: str
    layers: list[str]
    notes: list[str] = field(default_factory=list)


def unpack(path: Path, name: str, reading: Reading, staging: Staging) -> UnpackedFile:
    """Unpack a local file.

    Raises:
        StepError: it is damaged, or holds no table.
    """
    layers: list[str] = []
    notes: list[str] = []
    inner, encoding = name, ""
    while (kind := compression.detect(path)) != "none" and reading.compression != "none":
        if len(layers) == MOST_LAYERS:
            raise StepError(f"{name}: compressed with {', '.join(layers)} and more: unpack it first")
        if not layers and kind not in (reading.compression or kind, "tar"):
            raise StepError(f"{name} is {kind}: leave out --reading compression={reading.compression}")
        path, inner = compression.unpack(path, kind, inner, reading.member, staging)
        layers.append(f"{kind} ({inner})" if kind in ("zip", "tar") else kind)
    if not layers and reading.compression not in (None, "none"):
        raise StepError(f"{name} is not compressed so: leave out --reading compression={reading.compression}")
    kind = formats.detect(path, name)
    if kind == "text":
        path, kind, encoding, more = _as_utf8(path, name, reading, staging)
        notes += more
    named = COMPRESSED.get(PurePosixPath(name).suffix.lower(), "")
    if layers and layers[0].split(" ")[0] != named:
        notes.append(f"{name} is compressed with {layers[0]}, which its name does not say")
    if named and not layers:
        notes.append(f"{name} is {_words(kind)}, not {named} as its name says: read as what it is")
    suffix = PurePosixPath(inner).suffix.lower()
    promised = PROMISES.get(suffix, kind)
    if promised != kind and not (kind == "JSON" and promised == "text" and suffix != ".csv"):
        notes.append(
            f"{inner} is {_words(kind)}, not {_words(promised)} as its name says: read as what it is"
        )
    return UnpackedFile(path, kind, [layer for layer in [encoding, *layers] if layer], notes)


def _words(kind: str) -> str:
    return {"text": "delimited text", "workbook": "a workbook"}.get(kind, kind)


def _as_utf8(path: Path, name: str, reading: Reading, staging: Staging) -> tuple[Path, str, str, list[str]]:
    """Return the text as UTF-8, "text" or "JSON", the original encoding, and notes."""
    encoding = text_encoding.detect(path, name, reading.encoding)
    notes = []
    if encoding.damaged:
        notes.append(f"not valid UTF-8: {counted(encoding.damaged, 'byte')}, each read as U+FFFD (\ufffd)")
    if encoding.label in ("Windows-1252", "Latin-1"):
        notes.append(
            f"not UTF-8, read as {encoding.label}: if letters are wrong, give another one with "
            "--reading encoding=NAME"
        )
    is_utf8 = encoding.codec in ("utf-8", "utf-8-sig") and not encoding.damaged
    kind = "JSON" if is_utf8 and json_objects.is_json(path) else "text"
    # DuckDB takes a byte order mark for a part of the first JSON object.
    has_mark = kind == "JSON" and encoding.codec == "utf-8-sig"
    if not is_utf8 or has_mark or count_line_ends(path).are_mixed:
        target = staging.new()
        utf8_copy.rewrite(path, target, encoding, name)
        path, kind = target, "JSON" if json_objects.is_json(target) else "text"
    return path, kind, "" if encoding.label == "UTF-8" else encoding.label, notes
