"""What `privacy.json` beside a drawn file says of it, and what follows for a model of a warehouse."""

import json
from pathlib import Path
from typing import Final

from components.ingest_interactions.warehouse.parts import Watermarks

FILE: Final = "privacy.json"


def statement_beside(url: str, digest: str) -> dict[str, float]:
    """Return ε and δ of a file that `penchant data private` drew; {} for any other file, and a changed one.

    Args:
        digest: the sha256 of the file.
    """
    try:
        about = json.loads(Path(url).with_name(FILE).read_bytes())
        stated = {name: float(about[name]) for name in ("epsilon", "delta")}
        return stated if about["sha256"] == digest else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def privacy_of(watermarks: Watermarks) -> dict[str, float]:
    """Return ε and δ of all that a model of this warehouse may have learned from users; {} without a bound.

    Those of several drawn files add up. What was replaced or withdrawn may be in a model's first weights.
    """
    parts = [part for part in watermarks.parts if part.table != "items"]
    is_whole = not (watermarks.withdrawn or watermarks.retractions or any(part.since for part in parts))
    if not (parts and is_whole and all(part.privacy for part in parts)):
        return {}
    return {name: sum(part.privacy[name] for part in parts) for name in ("epsilon", "delta")}
