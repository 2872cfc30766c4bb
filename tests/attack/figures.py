"""The result of an attack: what was measured, what was wanted, and whether it was reached."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One row of the table; `reached` and `wanted` are texts with their units."""

    what: str
    reached: str
    wanted: str
    ok: bool
