"""Rewrites a text file as UTF-8."""

import codecs
import re
from pathlib import Path

from components.errors import StepError
from components.ingest_interactions.files.line_ends import blocks_and_end, count_line_ends
from components.ingest_interactions.files.text_encoding import ASK, Encoding


def rewrite(source: Path, target: Path, encoding: Encoding, name: str) -> None:
    """Write the text as UTF-8 with LF at the ends of lines.

    A CR alone ends a line if the file has no LF, and is a blank otherwise.

    Raises:
        StepError: a byte is not valid in the encoding, unless it is a damaged one that was counted.
    """
    errors = "replace" if encoding.damaged else "strict"
    decoder = codecs.getincrementaldecoder(encoding.codec)(errors)
    single_return = "\n" if encoding.codec.startswith("utf-16") or not count_line_ends(source).feeds else " "
    held = ""
    try:
        with target.open("w", encoding="utf-8", newline="") as file:
            for block in blocks_and_end(source):
                text = held + decoder.decode(block, final=not block)
                held = text[len(text.rstrip("\r")) :] if block else ""
                text = text[: len(text) - len(held)]
                if "\r" in text:
                    text = re.sub(r"\r+\n", "\n", text).replace("\r", single_return)
                file.write(text)
    except UnicodeError as error:
        raise StepError(f"{name}: not {encoding.label} ({error}): {ASK}") from error
