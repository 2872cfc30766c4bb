"""An interaction of a user, with an item or a search; without NumPy and pyarrow: the client needs neither."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interaction:
    """One event: `timestamp` in microseconds since the epoch (UTC), `value` NaN when there is none.

    A search by words has a `query` and an empty `item_id`; all other interactions have an item and no query.
    """

    interaction_id: str
    user_id: str
    item_id: str
    event_type: str
    timestamp: int
    value: float = float("nan")
    domain: str = ""
    query: str = ""
    request_id: str = ""  # of the answer that showed the item; "" if none did, or if it is unknown

    @property
    def is_search(self) -> bool:
        """Whether this is a search by words, which concerns no item."""
        return not self.item_id
