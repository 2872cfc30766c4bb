"""What EASE takes, and the catalog from which on it is left out."""

from typing import Final

# Two cores take 15 s for 8,000 items.
EASE_MAX_ITEMS: Final = 8_000
_SECONDS: Final = 15 / EASE_MAX_ITEMS**3


def ease_cost(items: int) -> tuple[float, float]:
    """Return the GB of memory and the seconds on two cores that EASE takes for a number of items."""
    return 2 * 4 * items**2 / 1e9, _SECONDS * items**3
