"""Finds a text in all bytes of a folder: databases with their free pages and WAL, and columns of Parquet."""

import gzip
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def files_with(root: Path, text: str) -> list[str]:
    """Return the files below `root` that hold the text, as it is, compressed, in UTF-16 or as hex digits."""
    forms = [text.encode(), text.encode("utf-16-le"), text.encode().hex().encode()]
    files = [path for path in root.rglob("*") if path.is_file()]
    assert files, f"nothing is in {root}"
    return [
        str(path.relative_to(root))
        for path in files
        if text in str(path) or any(form in content for content in _contents(path) for form in forms)
    ]


def _contents(path: Path) -> Iterator[bytes]:
    content = path.read_bytes()
    yield content
    if content.startswith(b"PAR1"):
        for column in pq.read_table(path).columns:
            for chunk in column.chunks:
                for buffer in pa.concat_arrays([chunk]).buffers():
                    yield buffer.to_pybytes() if buffer else b""
                if pa.types.is_dictionary(chunk.type):
                    yield str(chunk.dictionary.to_pylist()).encode()
    elif content.startswith(b"\x1f\x8b"):
        yield gzip.decompress(content)
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name) for name in archive.namelist())
