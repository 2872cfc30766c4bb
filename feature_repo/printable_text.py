"""Text that came from data or settings, made safe to show in a terminal or a log line."""

import re
from typing import Final

# Longest text shown, in characters.
LONGEST: Final = 10_000

# Control characters (C0, DEL, C1), marks that reorder a line, line separators, and halves of surrogate pairs,
# which no terminal can encode.
_UNSAFE: Final = "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_UNSAFE_CHARACTER: Final = re.compile(f"[{_UNSAFE}]")
_UNSAFE_IN_LINES: Final = re.compile(f"(?![\n\t])[{_UNSAFE}]")


# The password in a URL: scheme://user:password@host.
_PASSWORD: Final = re.compile(r"(?<=://)([^\s/@:]*):[^\s/]+@")


def masked(text: str) -> str:
    """Return the text with `***` for each password in a URL."""
    return _PASSWORD.sub(r"\1:***@", text) if "://" in text else text


def printable(text: str, lines: bool = False) -> str:
    """Return the text with control characters escaped as in Python (`\\x1b`), and the end of a long one cut.

    Passwords in URLs are masked. With `lines`, line breaks and tabs stay.
    """
    text = masked(text)
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}… ({len(text) - LONGEST:,} more characters)"
    pattern = _UNSAFE_IN_LINES if lines else _UNSAFE_CHARACTER
    return pattern.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
