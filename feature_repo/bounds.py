"""What an interaction may hold: the same bounds for requests, files, the interaction log and validation."""

import re
from typing import Final

# Ids, event types and domains: 1 to MAX_TEXT characters, none of them a control character.
MAX_TEXT: Final = 256
CONTROL_CHARACTERS: Final = r"\x00-\x1f\x7f"
CONTROL: Final = re.compile(f"[{CONTROL_CHARACTERS}]")

# The model computes in float32, which is too coarse for larger numbers.
MAX_VALUE: Final = 1e12

# 1990-01-01, before the Web: an earlier time is a zero, or has the wrong unit. µs since the epoch.
EARLIEST_US: Final = 631_152_000_000_000

# How far a timestamp may be later than the arrival of its interaction: a client's clock can be ahead.
MAX_LEAD_US: Final = 300_000_000


def is_text(text: str) -> bool:
    """Return whether a text may be an id, an event type or a domain."""
    return 0 < len(text) <= MAX_TEXT and not CONTROL.search(text)
