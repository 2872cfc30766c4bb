"""The known event types: their spellings, and the kind of feedback that each one gives."""

import re
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What an interaction says about the user's opinion of the item."""

    POSITIVE = "positive"
    NEGATIVE = "negative"
    NEUTRAL = "neutral"  # the user saw the item; the opinion is unknown
    CANCELLATION = "cancellation"  # undoes an earlier positive interaction with the same item
    EXPOSURE = "exposure"  # the item was shown; no action of the user, never part of a history


# The event type of a rating, whose kind depends on its value.
RATE: Final = "rate"

# The event type of an item shown to a user.
IMPRESSION: Final = "impression"

# Event type -> kind and weight. A negative of weight 1 is an opinion about the item; a lower one is a hint.
KNOWN: Final[dict[str, tuple[Kind, float]]] = {
    **dict.fromkeys(
        (
            *("view", "click", "search", "play", "listen", "watch", "read", "download", "complete", "follow"),
            *("save", "share", "comment", "like", RATE, "cart", "wishlist", "purchase", "subscribe"),
        ),
        (Kind.POSITIVE, 1.0),
    ),
    **dict.fromkeys(("dislike", "hide", "block", "report", "unsubscribe"), (Kind.NEGATIVE, 1.0)),
    "skip": (Kind.NEGATIVE, 0.25),
    **dict.fromkeys(
        (
            *("return", "refund", "cancel", "unlike", "unfollow", "unsave"),
            *("remove_from_cart", "remove_from_wishlist"),
        ),
        (Kind.CANCELLATION, 1.0),
    ),
    **dict.fromkeys(("undislike", "pause", "stop", "open", "close"), (Kind.NEUTRAL, 1.0)),
    IMPRESSION: (Kind.EXPOSURE, 1.0),
}  # fmt: skip

# Event types that state an opinion about the item, besides ratings and negatives: the last opinion counts.
OPINIONS: Final = frozenset(
    {*("like", "save", "share", "follow", "subscribe", "wishlist", "cart", "purchase"), "undislike"}
)

# Other spelling -> known event type; compared without case, blanks, hyphens and underscores.
_SPELLINGS: Final = {
    **dict.fromkeys(("impressions", "exposure", "shown", "display", "displayed", "viewitemlist"), IMPRESSION),
    **dict.fromkeys(
        ("pageview", "viewitem", "productview", "productviewed", "detailview", "viewed", "viewcontent"),
        "view",
    ),
    **dict.fromkeys(("clicked", "clicks", "selectitem", "tap", "productclicked"), "click"),
    **dict.fromkeys(("searched", "query"), "search"),
    **dict.fromkeys(("played", "start", "stream", "listened", "listening"), "play"),
    **dict.fromkeys(("watched", "viewvideo"), "watch"),
    **dict.fromkeys(("liked", "likes", "thumbsup", "upvote", "heart", "love", "loved"), "like"),
    **dict.fromkeys(("favorite", "favourite", "favorited", "bookmark", "saved", "star"), "save"),
    **dict.fromkeys(("rating", "rated", "review", "reviewed", "stars"), RATE),
    **dict.fromkeys(
        ("addtocart", "carts", "addcart", "cartadd", "basket", "addtobasket", "productadded"), "cart"
    ),
    **dict.fromkeys(("addtowishlist", "wish", "productaddedtowishlist"), "wishlist"),
    **dict.fromkeys(
        (
            *("buy", "buys", "bought", "purchased", "transaction", "order", "ordered", "checkout", "orders"),
            *("ordercompleted", "conversion"),
        ),
        "purchase",
    ),
    **dict.fromkeys(("completed", "finish", "finished"), "complete"),
    **dict.fromkeys(
        ("disliked", "thumbsdown", "downvote", "unfavorable", "hate", "notinterested", "notforme"), "dislike"
    ),
    **dict.fromkeys(("hidden", "dismiss", "dismissed"), "hide"),
    **dict.fromkeys(("skipped", "skips", "trackskip"), "skip"),
    **dict.fromkeys(("returned", "returns"), "return"),
    **dict.fromkeys(("refunded", "chargeback"), "refund"),
    **dict.fromkeys(("cancelled", "canceled", "cancellation", "ordercancelled"), "cancel"),
    **dict.fromkeys(("unhide", "unblock"), "undislike"),
    **dict.fromkeys(("unfavorite", "unfavourite", "unbookmark"), "unsave"),
    **dict.fromkeys(("removecart", "productremoved", "removefrombasket"), "remove_from_cart"),
}  # fmt: skip
_SEPARATORS: Final = re.compile(r"[\s_\-]+")


def canonical_event_type(event_type: str) -> str:
    """Return the known event type of a spelling, such as "cart" for "Add-To-Cart"; else the text itself."""
    key = _SEPARATORS.sub("", event_type.strip().lower())
    return _CANONICAL.get(key, event_type.strip())


_CANONICAL: Final = {**{_SEPARATORS.sub("", name): name for name in KNOWN}, **_SPELLINGS}
