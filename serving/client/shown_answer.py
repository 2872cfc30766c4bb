"""An answer that a client received, which records what the user did with its items."""

from collections.abc import Callable
from typing import Generic, Self, TypeVar

from serving.answers import Answer, Recommendation

T = TypeVar("T")


class ShownAnswer(Answer, Generic[T]):
    """An answer with methods that record an interaction with one of its items, and with its request id.

    Each returns what the client's `record` returns: the interaction's id, or for an AsyncRecommender an
    awaitable of it.
    """

    __slots__ = ("_record",)

    # Records (item id, event type, value) for the user of the answer.
    _record: Callable[[str, str, float | None], T]

    @classmethod
    def of(cls, answer: Answer, record: Callable[[str, str, float | None], T]) -> Self:
        """Return the answer with a function that records (item id, event type, value) for its user."""
        shown = cls(*(getattr(answer, name) for name in Answer.__dataclass_fields__))
        object.__setattr__(shown, "_record", record)
        return shown

    def click(self, item: Recommendation | str) -> T:
        """Record that the user chose the item, as "click"."""
        return self._record(_id(item), "click", None)

    def dismiss(self, item: Recommendation | str) -> T:
        """Record that the user does not want the item, as "hide": it is never answered again."""
        return self._record(_id(item), "hide", None)

    def rate(self, item: Recommendation | str, value: float) -> T:
        """Record a rating."""
        return self._record(_id(item), "rate", value)

    def dwell(self, item: Recommendation | str, seconds: float) -> T:
        """Record for how long the user looked at the item, as a "view" with the seconds as its value."""
        return self._record(_id(item), "view", seconds)

    def useful(self, item: Recommendation | str, is_useful: bool = True) -> T:
        """Record the user's answer to "Was this useful?", as "useful" or "not_useful"."""
        return self._record(_id(item), "useful" if is_useful else "not_useful", None)

    def act(self, item: Recommendation | str, event_type: str, value: float | None = None) -> T:
        """Record any other event, such as "purchase"."""
        return self._record(_id(item), event_type, value)


def _id(item: Recommendation | str) -> str:
    return item if isinstance(item, str) else item.item_id
