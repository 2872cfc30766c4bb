"""Tells what a file is by its first bytes: a kind of table, or something that holds no table."""

from pathlib import Path
from typing import Final

from components.errors import StepError
from components.ingest_interactions.files import compression

# First bytes -> kind of table.
TABLES: Final = {
    b"PAR1": "Parquet",
    b"ARROW1": "Arrow",
    b"ORC": "ORC",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "workbook",
}
# First bytes -> what the file is, and the next step.
OTHERS: Final = {
    b"PARE": ("an encrypted Parquet file", "write it without encryption"),
    b"FEA1": ("a Feather version 1 file", "write it as Parquet"),
    b"Obj\x01": ("an Avro file", "write it as Parquet or JSON lines"),
    b"SQLite format 3": ("an SQLite database", "export the table as CSV or Parquet"),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", "unpack it, and give the table in it"),
    b"Rar!": ("a RAR archive", "unpack it, and give the table in it"),
    b"\x1f\x9d": ("a file compressed with compress (.Z)", "unpack it with uncompress"),
    b"\x04\x22\x4d\x18": ("a file compressed with lz4", "unpack it with lz4 -d"),
    b"\xff\x06\x00\x00sNaPpY": ("a file compressed with snappy", "unpack it"),
    b"\x89HDF": ("an HDF5 file", "write the table as Parquet"),
    b"\x93NUMPY": ("a NumPy array", "write the table as Parquet or CSV"),
    b"RDX": ("an R data file", "write the table as CSV"),
    b"\x80\x02": ("a Python pickle, which is a program and is never opened", "write the table as Parquet"),
    b"\x80\x03": ("a Python pickle, which is a program and is never opened", "write the table as Parquet"),
    b"\x80\x04": ("a Python pickle, which is a program and is never opened", "write the table as Parquet"),
    b"\x80\x05": ("a Python pickle, which is a program and is never opened", "write the table as Parquet"),
    b"%PDF": ("a PDF document", "export the table as CSV"),
    b"{\\rtf": ("an RTF document", "export the table as CSV"),
    b"version https://git-lfs": ("a pointer of Git LFS, not the file itself", "run git lfs pull"),
    b"\x89PNG": ("a picture", "give a table"),
    b"\xff\xd8\xff": ("a picture", "give a table"),
    b"PGDMP": ("a PostgreSQL dump", "export the table as CSV with \\copy"),
}  # fmt: skip
MARKUP: Final = {
    b"<!doctype html": "a web page",
    b"<html": "a web page",
    b"<?xml": "an XML file",
}


def detect(path: Path, name: str) -> str:
    """Return "Parquet", "Arrow", "ORC", "workbook", or "text".

    Raises:
        StepError: the file is empty, or of a kind that holds no table; the message says what it is.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    if not head.strip():
        raise StepError(f"{name}: empty file; expected a header line and rows")
    for magic, kind in TABLES.items():
        if head.startswith(magic):
            return kind
    if head.startswith(b"PK") and compression.is_workbook(path):
        if compression.is_workbook(path, (compression.BINARY_WORKBOOK,)):
            raise StepError(
                f"{name} is a binary workbook (.xlsb): save it as .xlsx, or export the table as CSV"
            )
        return "workbook"
    for magic, (what, advice) in OTHERS.items():
        if head.startswith(magic):
            raise StepError(f"{name} is {what}: {advice}")
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for tag, what in MARKUP.items():
        if start.startswith(tag):
            raise StepError(
                f"{name} is {what}, not a table: if it was downloaded, open it in a browser to see why, and "
                "give a CSV, JSON lines, Parquet or Excel file"
            )
    if _is_binary(head):
        raise StepError(
            f"{name} is a binary file of an unknown kind (it begins with the bytes {head[:8].hex(' ')}): "
            "give a CSV, JSON lines, Parquet or Excel file"
        )
    return "text"


def _is_binary(head: bytes) -> bool:
    """Return whether more than a hundredth is control characters, which text does not have."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or is_utf16(head):
        return False
    # 0x01 to 0x03 and 0x1c to 0x1f separate cells in some dumps.
    controls = sum(byte < 32 and byte not in b"\t\n\r\x0c\x01\x02\x03\x1c\x1d\x1e\x1f\x1b" for byte in head)
    return controls > max(4, len(head) / 100)


def is_utf16(head: bytes) -> bool:
    """Return whether every other byte is often zero: UTF-16 without a byte order mark."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    return max(even, odd) > 0.35 * len(head) / 2 and min(even, odd) < 0.05 * len(head) / 2
