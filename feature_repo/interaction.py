"""An interaction of a user with an item; without NumPy and pyarrow, because the client needs neither."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interaction:
    """One event: `timestamp` in microseconds since the epoch (UTC), `value` NaN when there is none."""

    interaction_id: str
    user_id: str
    item_id: str
    event_type: str
    timestamp: int
    value: float = float("nan")
    domain: str = ""
