"""Detects the encoding of a text file from its bytes."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from components.errors import StepError
from components.ingest_interactions.files.formats import is_utf16
from components.ingest_interactions.files.line_ends import blocks_and_end

BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16 LE"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16 BE"),
)
ASK: Final = (
    "say which one with --reading encoding=NAME, such as windows-1251 (Cyrillic), iso8859-2 (central "
    "European), gb18030 (Chinese), shift_jis (Japanese) or cp437 (DOS)"
)


@dataclass(frozen=True)
class Encoding:
    """`codec` is Python's name; `damaged` is the number of bytes that are not valid in it."""

    codec: str
    label: str
    damaged: int = 0


def detect(path: Path, name: str, given: str | None) -> Encoding:
    """Return the encoding that the user gave, or the one that the bytes are evidence of.

    Raises:
        StepError: the given one is unknown, or the bytes are evidence of none.
    """
    if given is not None:
        try:
            codecs.lookup(given)
        except LookupError as error:
            raise StepError(
                f"{name}: unknown encoding {given!r}; expected a name such as latin-1 or utf-16"
            ) from error
        # A byte order mark is no part of the text, whatever the user calls UTF-8.
        codec = "utf-8-sig" if codecs.lookup(given).name == "utf-8" else given
        return Encoding(codec, given)
    with path.open("rb") as file:
        head = file.read(4096)
    for mark, codec, label in BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return Encoding(codec, label)
    if is_utf16(head):
        order = "le" if head[1::2].count(0) > head[::2].count(0) else "be"
        return Encoding(f"utf-16-{order}", f"UTF-16 {order.upper()}")
    invalid, valid = _count_utf8(path)
    if valid >= 20 * invalid:
        return Encoding("utf-8", "UTF-8", invalid)
    return _single_byte(path, name)


def _count_utf8(path: Path) -> tuple[int, int]:
    """Return the number of bytes that are not UTF-8, and of characters beyond ASCII that are."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    invalid = valid = 0
    pending = False
    for block in blocks_and_end(path):
        if block.isascii() and not pending and block:
            continue
        text = decoder.decode(block, final=not block)
        pending = bool(decoder.getstate()[0])
        beyond = re.findall(r"[^\x00-\x7f]+", text)
        for run in beyond:
            escaped = sum("\udc80" <= character <= "\udcff" for character in run)
            invalid += escaped
            valid += len(run) - escaped
    return invalid, valid


def _single_byte(path: Path, name: str) -> Encoding:
    """Accept Windows-1252 if its letters stand alone among ASCII letters, as in western European words."""
    number, sample = 0, []
    for number, line in enumerate(_lines(path), 1):
        if not line.isascii():
            sample.append((number, line))
        if len(sample) == 1000:
            break
    text = b"\n".join(line for _, line in sample)
    runs = [len(run) for run in re.findall(rb"[\x80-\xff]+", text)]
    inside = re.findall(rb"(?<=[A-Za-z])[\x80-\xff](?=[a-z])", text)
    letters = sum(
        byte.decode("cp1252", "replace").isalpha() or byte in (b"\x92", b"\xb4", b"\xb7") for byte in inside
    )
    if sum(run <= 2 for run in runs) >= 0.9 * len(runs) and letters >= 0.9 * len(inside):
        try:
            text.decode("cp1252")
        except UnicodeDecodeError:
            return Encoding("latin-1", "Latin-1")
        return Encoding("cp1252", "Windows-1252")
    line_number, line = sample[0]
    first = re.search(rb"[\x80-\xff]+", line)
    shown = first.group()[:8].hex(" ") if first else ""
    raise StepError(
        f"{name}: line {line_number} has the bytes {shown}, which are neither UTF-8 nor a western European "
        f"encoding: {ASK}"
    )


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file
