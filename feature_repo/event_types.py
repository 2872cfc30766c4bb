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

# The event type of an interaction of which nothing else is known.
VIEW: Final = "view"

# The event type of an item shown to a user.
IMPRESSION: Final = "impression"

# The event type of a search: of an item found by one, or of its words alone.
SEARCH: Final = "search"

# Event type -> kind and weight. A negative of weight 1 is an opinion about the item; a lower one is a hint.
KNOWN: Final[dict[str, tuple[Kind, float]]] = {
    **dict.fromkeys(
        (
            *(VIEW, "click", SEARCH, "play", "listen", "watch", "read", "download", "complete", "follow"),
            *("save", "share", "comment", "like", RATE, "cart", "wishlist", "purchase", "subscribe"),
            *("visit", "install", "contact", "apply", "useful"),
        ),
        (Kind.POSITIVE, 1.0),
    ),
    **dict.fromkeys(
        ("dislike", "hide", "block", "report", "unsubscribe", "uninstall"), (Kind.NEGATIVE, 1.0)
    ),
    **dict.fromkeys(("skip", "not_useful"), (Kind.NEGATIVE, 0.25)),
    **dict.fromkeys(
        (
            *("return", "refund", "cancel", "unlike", "unfollow", "unsave"),
            *("remove_from_cart", "remove_from_wishlist"),
        ),
        (Kind.CANCELLATION, 1.0),
    ),
    **dict.fromkeys(
        (
            *("undislike", "pause", "resume", "stop", "open", "close", "scroll", "heartbeat"),
            *("session_start", "login", "sign_up", "view_cart", "begin_checkout"),
        ),
        (Kind.NEUTRAL, 1.0),
    ),
    IMPRESSION: (Kind.EXPOSURE, 1.0),
}  # fmt: skip

# Event types that state an opinion about the item, besides ratings and negatives: the last opinion counts.
OPINIONS: Final = frozenset(
    {*("like", "save", "share", "follow", "subscribe", "wishlist", "cart", "purchase"), "undislike"}
)

# Known event type -> other spellings, compared without case, blanks and punctuation. They are the words of
# GA4, Segment, Snowplow, RetailRocket, YooChoose, OTTO, REES46, Taobao, Yambda, Last.fm, gorse, Amazon
# Personalize and metarank.
_SPELLINGS: Final[dict[str, tuple[str, ...]]] = {
    IMPRESSION: (
        *("impressions", "exposure", "exposed", "shown", "display", "displayed", "ranking", "viewitemlist"),
        *("listview", "productlistviewed", "productimpression", "itemimpression", "viewpromotion"),
        *("promoview", "promotionviewed"),
    ),
    VIEW: (
        *("views", "viewed", "viewing", "pv", "pageview", "screenview", "viewitem", "itemview", "itemviewed"),
        *("productview", "productviewed", "viewproduct", "viewcontent", "detail", "detailview", "detailpage"),
        *("productdetailview", "articleview", "browse"),
    ),
    "click": (
        *("clicks", "clicked", "clickout", "tap", "select", "selectitem", "selectcontent", "itemclick"),
        *("productclick", "productclicked", "listclick", "promoclick", "promotionclicked", "selectpromotion"),
    ),
    SEARCH: ("searches", "searched", "query", "sitesearch", "viewsearchresults", "productssearched"),
    "play": ("plays", "played", "start", "stream", "streamed", "videostart", "videoplay", "scrobble"),
    "listen": ("listens", "listened", "listening"),
    "watch": ("watches", "watched", "watching", "viewvideo", "videoprogress"),
    "read": ("reads", "reading"),
    "download": ("downloads", "downloaded", "filedownload"),
    "complete": ("completed", "completion", "finish", "finished", "videocomplete"),
    "follow": ("follows", "followed", "following"),
    "save": (
        *("saves", "saved", "fav", "favs", "favorite", "favorites", "favourite", "favourites", "favorited"),
        *("favourited", "addtofavorites", "addtofavourites", "bookmark", "bookmarked", "bookmarks", "star"),
        *("starred", "collect", "pin", "pinned", "addtolist", "addtoplaylist", "addtolibrary"),
    ),
    "share": ("shares", "shared", "productshared", "retweet", "repost"),
    "comment": ("comments", "commented", "reply", "replied"),
    "like": (
        *("likes", "liked", "thumbsup", "thumbup", "upvote", "upvoted", "heart", "hearted", "love", "loved"),
    ),
    RATE: ("rates", "rating", "ratings", "rated", "review", "reviews", "reviewed", "stars", "score",
           "productreviewed"),
    "cart": (
        *("carts", "carted", "addtocart", "addcart", "cartadd", "addedtocart", "basket", "addtobasket"),
        *("addtobag", "productadded", "productaddedtocart", "wishlistproductaddedtocart"),
    ),
    "wishlist": ("wish", "addtowishlist", "addwishlist", "addedtowishlist", "productaddedtowishlist"),
    "purchase": (
        *("purchases", "purchased", "buy", "buys", "bought", "order", "orders", "ordered", "reorder"),
        *("transaction", "transactions", "transactionitem", "checkout", "checkoutcompleted", "conversion"),
        *("ordercompleted", "orderplaced", "orderpaid", "ecommercepurchase", "inapppurchase", "sale", "sold"),
        *("book", "booked", "booking", "reserve", "reserved", "reservation", "rent", "rented", "rental"),
    ),
    "subscribe": ("subscribes", "subscribed", "subscription"),
    "visit": ("visits", "visited", "checkin", "checkins", "checkedin"),
    "install": ("installs", "installed"),
    "contact": ("contacted", "lead", "generatelead", "inquiry", "enquiry"),
    "apply": ("applied", "application", "jobapply"),
    "dislike": (
        *("dislikes", "disliked", "thumbsdown", "thumbdown", "downvote", "downvoted", "unfavorable", "hate"),
        *("hated", "notinterested", "notforme", "notrecommended"),
    ),
    "hide": ("hides", "hidden", "dismiss", "dismissed"),
    "block": ("blocks", "blocked", "ban", "banned", "mute", "muted"),
    "report": ("reports", "reported", "flag", "flagged"),
    "unsubscribe": ("unsubscribed",),
    "uninstall": ("uninstalls", "uninstalled"),
    "useful": ("helpful", "washelpful", "wasuseful"),
    "not_useful": ("nothelpful", "unhelpful", "useless"),
    "skip": ("skips", "skipped", "trackskip", "skiptrack"),
    "return": ("returns", "returned", "productreturned", "orderreturned", "itemreturned"),
    "refund": ("refunds", "refunded", "orderrefunded", "chargeback"),
    "cancel": ("cancels", "cancelled", "canceled", "cancellation", "ordercancelled", "ordercanceled"),
    "unlike": ("unlikes", "unliked", "unheart", "unlove", "unvote"),
    "undislike": ("undislikes", "undisliked", "unhide", "unblock", "unban", "unmute"),
    "unfollow": ("unfollows", "unfollowed"),
    "unsave": ("unsaved", "unfav", "unfavorite", "unfavourite", "unbookmark", "unstar"),
    "remove_from_cart": ("removecart", "cartremove", "productremoved", "removefrombasket", "removefrombag"),
    "remove_from_wishlist": ("removewishlist", "wishlistremove", "productremovedfromwishlist"),
    "pause": ("paused", "videopause"),
    "stop": ("stopped",),
    "open": ("opened", "opens"),
    "close": ("closed", "closes"),
    "heartbeat": ("pageping", "userengagement", "ping"),
    "session_start": ("firstvisit", "firstopen", "sessionstarted", "appopen"),
    "login": ("signin", "loggedin"),
    "sign_up": ("register", "registered", "registration", "completeregistration"),
    "view_cart": ("cartviewed", "viewbasket"),
    "begin_checkout": (
        *("checkoutstarted", "checkoutstep", "initiatecheckout", "addpaymentinfo", "addshippinginfo"),
        *("paymentinfoentered", "checkoutstepviewed", "checkoutstepcompleted"),
    ),
}  # fmt: skip
_PUNCTUATION: Final = re.compile(r"[\W_]+")
_CANONICAL: Final = {
    **{_PUNCTUATION.sub("", name): name for name in KNOWN},
    **{spelling: name for name, spellings in _SPELLINGS.items() for spelling in spellings},
}


_SHARED: Final = {name: name for name in KNOWN}


def shared(event_type: str) -> str:
    """Return the one string object of a known event type; histories of many users hold the same types.

    Other event types are returned as they are: clients choose them, and kept ones would fill the memory.
    """
    return _SHARED.get(event_type, event_type)


def default_event_type(has_value: bool, is_search: bool = False) -> str:
    """Return the event type of an interaction that names none, in a file as in a request.

    Args:
        is_search: whether it has the words of a search, and no item.
    """
    if is_search:
        return SEARCH
    return RATE if has_value else VIEW


def canonical_event_type(event_type: str) -> str:
    """Return the known event type of a spelling, such as "cart" for "Add-To-Cart"; else the text itself."""
    if event_type in KNOWN:
        return event_type
    key = _PUNCTUATION.sub("", event_type.lower())
    return _CANONICAL.get(key, event_type.strip())
