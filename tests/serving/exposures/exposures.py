"""Exposures for tests."""

from collections.abc import Iterable, Sequence

from serving.exposures.exposure import Exposure
from serving.exposures.exposure_table import Row, to_row


def exposure(
    request_id: str,
    user_id: str = "u",
    items: Sequence[str] = ("a", "b"),
    timestamp: int = 1,
    **fields: object,
) -> Exposure:
    """Return an exposure of `items`; further fields replace the defaults."""
    values = {
        "release_version": 1,
        "scenario": "",
        "basis": "history",
        "degraded": "",
        "candidates": "",
        "scores": [0.5] * len(items),
        "sources": [1] * len(items),
        "propensities": [1.0] * len(items),
        **fields,
    }
    return Exposure(request_id, user_id, timestamp, item_ids=list(items), **values)  # type: ignore[arg-type]


def rows(exposures: Iterable[Exposure]) -> list[Row]:
    """Return the rows that the store takes."""
    return [to_row(exposure) for exposure in exposures]
