"""A file that holds no table is called what it is."""

from typing import Any

import pytest

from components.errors import StepError


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a.csv: empty file; expected a header line and rows"),
        (b"\n \n\n", "a.csv: empty file; expected a header line and rows"),
        (b"PARE" + bytes(20), "a.csv is an encrypted Parquet file: write it without encryption"),
        (b"Obj\x01" + bytes(20), "a.csv is an Avro file: write it as Parquet"),
        (b"SQLite format 3\0" + bytes(100), "a.csv is an SQLite database: export the table"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(20), "a.csv is a 7z archive: unpack it"),
        (b"Rar!\x1a\x07", "a.csv is a RAR archive: unpack it"),
        (b"\x1f\x9d\x90" + bytes(20), r"a.csv is a file compressed with compress \(.Z\)"),
        (b"\x04\x22\x4d\x18" + bytes(20), "a.csv is a file compressed with lz4: unpack it"),
        (b"\x89HDF\r\n\x1a\n", "a.csv is an HDF5 file"),
        (b"\x93NUMPY\x01\x00", "a.csv is a NumPy array"),
        (b"\x80\x04\x95\x10", "a.csv is a Python pickle, which is a program and is never opened"),
        (b"%PDF-1.7", "a.csv is a PDF document"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a.csv is a pointer of Git LFS"),
        (b"\xef\xbb\xbf<!DOCTYPE html>\n<html>", "a.csv is a web page, not a table"),
        (b"<html><body>Sign in</body></html>", "a.csv is a web page, not a table"),
        (b'<?xml version="1.0"?>\n<rows/>', "a.csv is an XML file, not a table"),
        (
            bytes(range(256)) * 16,
            r"a.csv is a binary file of an unknown kind \(it begins with the bytes 00 01",
        ),
    ],
)
def test_the_message_says_what_it_is(folder: Any, content: bytes, message: str) -> None:
    with pytest.raises(StepError, match=message):
        folder.open("a.csv", content)


def test_zero_bytes_in_a_text_are_no_reason_to_refuse_it(folder: Any) -> None:
    assert folder.read("a.csv", b"user,item\na\x00,x\nb,y\n")[1] == {"user": "b", "item": "y"}
