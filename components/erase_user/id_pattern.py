"""Regular expressions that find a user id in text, as a whole word."""

import html
import json
import re
from typing import Final

# Its digits are no ids. It is matched first, without the group `id`.
_TIME: Final = r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d:\d\d)?"


def text_pattern(user_id: str) -> re.Pattern[str]:
    """Return a pattern that matches times, and the id in the group `id`."""
    return re.compile(rf"{_TIME}|(?<!\w)(?P<id>{_alternatives(user_id)})(?!\w)")


def bytes_pattern(user_id: str) -> re.Pattern[bytes]:
    """Return the pattern for UTF-8 text."""
    word = r"[\w\x80-\xff]"
    pattern = rf"{_TIME}|(?<!{word})(?P<id>{_alternatives(user_id)})(?!{word})"
    return re.compile(pattern.encode())


def _alternatives(user_id: str) -> str:
    """Return the id as it is, and as JSON, Python and HTML write it."""
    forms = [user_id, json.dumps(user_id)[1:-1], json.dumps(user_id, ensure_ascii=False)[1:-1]]
    forms += [repr(user_id)[1:-1], html.escape(user_id)]
    return "|".join(map(re.escape, sorted(set(forms), key=len, reverse=True)))
