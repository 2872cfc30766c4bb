"""Compressed files and archives are known by their content."""

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile
from typing import Any

import pyarrow as pa
import pytest

from components.errors import StepError

TEXT = b"user,item\nann,tea\nbob,milk\n"
MORE = b"eve,cake\n"
ROWS = [{"user": "ann", "item": "tea"}, {"user": "bob", "item": "milk"}]


def zstd(content: bytes) -> bytes:
    buffer = pa.BufferOutputStream()
    with pa.CompressedOutputStream(buffer, "zstd") as stream:
        stream.write(content)
    return bytes(buffer.getvalue())


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv.gz", gzip.compress(TEXT), "gzip"),
        ("a.csv.zst", zstd(TEXT), "zstd"),
        ("a.csv.bz2", bz2.compress(TEXT), "bzip2"),
        ("a.csv.xz", lzma.compress(TEXT), "xz"),
        ("a.zip", zipped(**{"a.csv": TEXT}), "zip (a.csv)"),
        ("a.tar", tarred("folder/a.csv", TEXT), "tar (folder/a.csv)"),
        ("a.tar.gz", gzip.compress(tarred("a.csv", TEXT)), "gzip, tar (a.csv)"),
        ("a.tgz", gzip.compress(tarred("a.csv", TEXT)), "gzip, tar (a.csv)"),
        ("a.zip", zipped(**{"a.csv.gz": gzip.compress(TEXT)}), "zip (a.csv.gz), gzip"),
        ("a.zip", zipped(**{"a.csv": TEXT, "README.md": b"x", "__MACOSX/._a.csv": b"x"}), "zip (a.csv)"),
        ("a.csv.gz", gzip.compress(TEXT.decode().encode("utf-16")), "UTF-16 LE, gzip"),
    ],
)
def test_content_is_unpacked(folder: Any, name: str, content: bytes, words: str) -> None:
    opened = folder.open(name, content)
    assert opened.description == f"CSV separated by ',', {words}"
    assert opened.notes == []
    assert folder.read(name) == ROWS


@pytest.mark.parametrize(
    ("suffix", "compress"), [("gz", gzip.compress), ("zst", zstd), ("bz2", bz2.compress)]
)
def test_files_of_several_compressed_parts_are_read_to_the_end(
    folder: Any, suffix: str, compress: Any
) -> None:
    content = compress(TEXT) + compress(MORE)
    assert folder.read(f"a.csv.{suffix}", content) == [*ROWS, {"user": "eve", "item": "cake"}]


@pytest.mark.parametrize(
    ("name", "content", "note"),
    [
        ("a.csv", gzip.compress(TEXT), "a.csv is compressed with gzip, which its name does not say"),
        ("a.csv", zipped(**{"b.csv": TEXT}), "a.csv is compressed with zip (b.csv), which its name"),
        ("a.csv.gz", TEXT, "a.csv.gz is delimited text, not gzip as its name says: read as what it is"),
        ("a.csv.gz", zstd(TEXT), "a.csv.gz is compressed with zstd, which its name does not say"),
    ],
)
def test_a_name_that_is_wrong_is_reported(folder: Any, name: str, content: bytes, note: str) -> None:
    opened = folder.open(name, content)
    assert opened.notes[0].startswith(note)
    assert folder.read(name) == ROWS


@pytest.mark.parametrize(
    ("kind", "suffix", "compress"),
    [
        ("gzip", "gz", gzip.compress),
        ("zstd", "zst", zstd),
        ("bzip2", "bz2", bz2.compress),
        ("xz", "xz", lzma.compress),
        ("zip", "zip", lambda content: zipped(**{"a.csv": content})),
    ],
)
def test_a_file_that_is_cut_short_is_refused(folder: Any, kind: str, suffix: str, compress: Any) -> None:
    content = compress(os.urandom(3000).hex().encode())[:1000]
    with pytest.raises(StepError, match=rf"a.csv.{suffix}: the {kind} file is damaged or cut short.*again"):
        folder.open(f"a.csv.{suffix}", content)


def test_an_archive_with_several_tables_lists_them(folder: Any) -> None:
    folder.write("a.zip", zipped(**{"x/a.csv": TEXT, "b.csv": MORE}))
    with pytest.raises(
        StepError, match=r"a.zip: the archive holds 2 tables; it has: x/a.csv, b.csv.*member="
    ):
        folder.open("a.zip")
    assert folder.read("a.zip", member="a.csv") == ROWS
    assert folder.read("a.zip", member="x/a.csv") == ROWS
    with pytest.raises(StepError, match=r"has no single file 'c.csv'; it has: x/a.csv, b.csv"):
        folder.open("a.zip", member="c.csv")


def test_an_empty_archive_is_refused(folder: Any) -> None:
    with pytest.raises(StepError, match=r"a.zip: the archive is empty"):
        folder.open("a.zip", zipped())


@pytest.mark.parametrize(
    ("content", "compression", "message"),
    [
        (TEXT, "gzip", "a.csv is not compressed so: leave out --reading compression=gzip"),
        (gzip.compress(TEXT), "zip", "a.csv is gzip: leave out --reading compression=zip"),
        (gzip.compress(TEXT), "none", "a.csv is a binary file"),
    ],
)
def test_a_wrong_option_is_refused(folder: Any, content: bytes, compression: str, message: str) -> None:
    with pytest.raises(StepError, match=message):
        folder.open("a.csv", content, compression=compression)
