"""Exposures for tests."""

from array import array
from collections.abc import Iterable, Sequence

from serving.exposures.exposure import Exposure
from serving.exposures.exposure_table import Row


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


def to_row(exposure: Exposure) -> Row:
    """Return the values of COLUMNS."""
    is_certain = set(exposure.propensities) <= {1.0}
    return (
        *(exposure.request_id, exposure.user_id, exposure.timestamp, exposure.release_version),
        *(exposure.scenario, exposure.basis, exposure.degraded, exposure.candidates),
        "\n".join(exposure.item_ids),
        bytearray(array("f", exposure.scores)),
        bytearray(array("H", exposure.sources)),
        bytearray() if is_certain else bytearray(array("d", exposure.propensities)),
        *(exposure.snapshot, bytearray(exposure.delta), bytearray(exposure.request), exposure.latency_us),
        *(exposure.experiment, exposure.arm, bytearray(array("f", exposure.credits))),
    )


def rows(exposures: Iterable[Exposure]) -> list[Row]:
    """Return the rows that the store takes."""
    return [to_row(exposure) for exposure in exposures]
