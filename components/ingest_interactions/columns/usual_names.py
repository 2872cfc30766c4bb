"""Names that the columns of the contract usually have in other people's files."""

import re
from typing import Final

# Table -> column of the contract -> groups of usual names, without case and separators. An earlier group wins
# over a later one; two columns of one group compete, and the user is asked.
Groups = tuple[tuple[str, ...], ...]

_USER: Final[Groups] = (
    ("userid", "user", "uid", "userno", "userkey"),
    ("customerid", "customer", "custid", "clientid", "memberid", "accountid", "shopperid", "buyerid",
     "subscriberid", "reviewerid", "readerid", "listenerid", "viewerid", "playerid", "studentid", "patientid",
     "personid", "profileid", "authorid", "username", "membername", "reviewer", "viewer", "msno"),
    ("visitorid", "visitor", "anonymousid", "userpseudoid", "cookieid", "deviceid", "guestid",
     "domainuserid"),
    ("sessionid", "session"),
)  # fmt: skip

_ITEM: Final[Groups] = (
    ("itemid", "item", "iid", "itemno", "itemkey"),
    ("productid", "product", "parentasin", "articleid", "article", "movieid", "movie", "filmid", "trackid",
     "track", "songid", "song", "bookid", "newsid", "videoid", "gameid", "appid", "businessid", "recipeid",
     "courseid", "jobid", "listingid", "propertyid", "venueid", "placeid", "poiid", "showid", "episodeid",
     "podcastid", "animeid", "beerid", "postid", "photoid", "contentid", "offerid", "dealid", "aid",
     "productcode", "stockcode", "itemcode", "materialid", "contenttargetid"),
    ("asin", "sku", "skuid", "isbn", "ean", "gtin", "upc", "variantid"),
    ("artistid", "albumid", "categoryid"),
)  # fmt: skip

_TIME: Final[Groups] = (
    ("timestamp", "ts", "eventtimestamp", "eventtime", "datetime", "timestampms", "unixtimestamp", "unixtime",
     "unixreviewtime", "epoch", "servertime", "clienttime", "originaltimestamp"),
    ("createdat", "occurredat", "createdtime", "createtime", "playedat", "watchedat", "viewedat", "ratedat",
     "purchasedat", "orderedat", "listenedat", "startedat", "receivedat", "loggedat", "sentat", "lastwatchdt",
     "invoicedate", "orderdate", "purchasedate", "transactiondate", "reviewdate", "ratingdate", "reviewtime",
     "eventdate", "tdat", "orderts", "creationtimestamp", "datecreated", "dateadded", "createdon"),
    ("date", "time", "day", "dt", "when"),
)  # fmt: skip

_EVENT: Final[Groups] = (
    ("eventtype", "eventname", "event", "feedbacktype", "interactiontype", "behaviortype", "behaviourtype",
     "actiontype", "activitytype", "eventkind"),
    ("behavior", "behaviour", "behaviors", "behaviours", "action", "interaction", "activity", "feedback"),
    ("type", "kind"),
)  # fmt: skip

# Prices, amounts and durations are no ratings: they become the value only beside an event type.
_AMOUNTS: Final = (
    ("eventvalue", "quantity", "qty"),
    ("price", "amount", "unitprice", "revenue", "total"),
    ("playedratiopct", "watchedpct", "watchratio", "playcount", "plays", "duration", "totaldur", "watchtime",
     "dwelltime"),
)  # fmt: skip

USUAL_NAMES: Final[dict[str, dict[str, Groups]]] = {
    "interactions": {
        "interaction_id": (("interactionid",),),
        "user_id": _USER,
        "item_id": _ITEM,
        "timestamp": _TIME,
        "event_type": _EVENT,
        "value": (
            ("value",),
            ("rating", "ratings", "score", "stars", "star", "starrating", "overall", "userrating",
             "bookrating",              "reviewscore", "reviewrating"),
            ("label", "liked", "islike", "isclick", "thumbs", "thumb"),
        ),
        "domain": (("domain",),),
        "query": (("query",), ("searchquery",), ("searchterm",), ("searchterms",), ("searchtext",)),
    },
    "items": {
        "item_id": (*_ITEM, ("id",)),
        "title": (
            ("title",),
            ("itemname", "itemtitle", "productname", "producttitle", "prodname", "movietitle", "tracktitle",
             "trackname", "songname", "songtitle", "booktitle", "articletitle", "filmtitle", "gametitle",
             "showtitle", "headline"),
            ("name", "description", "label"),
        ),
        "categories": (
            ("categories",),
            ("genres", "genre", "category", "categoryname", "productcategory", "itemcategory", "categoryids"),
            ("tags", "topics", "labels", "keywords", "subjects"),
            ("maincategory", "department", "section", "categoryl1", "class"),
        ),
        "domain": (("domain",),),
        "available_from": (("availablefrom",),),
        "available_until": (("availableuntil",),),
    },
    "users": {"user_id": (*_USER, ("id",))},
}  # fmt: skip
AMOUNTS: Final[Groups] = _AMOUNTS

# A column of these names makes every row a purchase, if no column has an event type or a rating.
ORDERS: Final = frozenset(
    {"invoiceno", "invoice", "invoiceid", "invoicenumber", "orderid", "orderno", "ordernumber", "basketid",
     "receiptid", "receiptno", "billno", "ticketid"}
)  # fmt: skip

# Columns that a data frame library writes for its row numbers.
ROW_NUMBERS: Final = frozenset({"", "unnamed0", "index", "level0", "indexlevel0", "rowid", "rownumber"})

# Types in the names of RecBole's columns, such as "user_id:token".
_TYPE_SUFFIX: Final = re.compile(r":(token|float|token_seq|float_seq)$")


def without_type(column: str) -> str:
    """Return "user_id" for "user_id:token"."""
    return _TYPE_SUFFIX.sub("", column.strip())


def normalized(column: str) -> str:
    """Return a name without type, case and separators: "userid" for "User ID" and "user_id:token"."""
    return re.sub(r"[\W_]+", "", without_type(column)).lower()
