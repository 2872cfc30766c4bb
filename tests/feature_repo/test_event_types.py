"""Event types of real exports are known."""

import pytest

from feature_repo.event_types import _SHARED, KNOWN, Kind, canonical_event_type, shared

EXPORTS = {
    "GA4": {
        "view_item": "view", "select_item": "click", "add_to_cart": "cart", "add_to_wishlist": "wishlist",
        "remove_from_cart": "remove_from_cart", "view_item_list": "impression", "purchase": "purchase",
        "begin_checkout": "begin_checkout", "refund": "refund", "page_view": "view",
    },
    "Segment": {
        "Product Viewed": "view", "Product Clicked": "click", "Product Added": "cart",
        "Product Removed": "remove_from_cart", "Order Completed": "purchase", "Order Refunded": "refund",
        "Product List Viewed": "impression", "Product Reviewed": "rate", "Order Cancelled": "cancel",
    },
    "Snowplow": {"product_view": "view", "list_view": "impression", "transaction": "purchase",
                 "page_ping": "heartbeat"},
    "RetailRocket": {"view": "view", "addtocart": "cart", "transaction": "purchase"},
    "YooChoose and OTTO": {"clicks": "click", "carts": "cart", "orders": "purchase", "buys": "purchase"},
    "Yambda": {"listen": "listen", "like": "like", "unlike": "unlike", "dislike": "dislike",
               "undislike": "undislike"},
    "gorse": {"star": "save", "read": "read", "like": "like"},
    "Amazon Personalize": {"Watch": "watch", "Click": "click", "purchase": "purchase"},
    "metarank": {"ranking": "impression", "click": "click"},
    "Taobao": {"pv": "view", "fav": "save", "cart": "cart", "buy": "purchase"},
}  # fmt: skip


@pytest.mark.parametrize("export", EXPORTS)
def test_event_types_of_an_export_are_known(export: str) -> None:
    expected = EXPORTS[export]
    assert {written: canonical_event_type(written) for written in expected} == expected


@pytest.mark.parametrize("written", ["not_interested", "Thumbs down", "👎 dislike", "dis-like"])
def test_dislikes_are_negative_in_any_spelling(written: str) -> None:
    assert KNOWN[canonical_event_type(written)][0] is Kind.NEGATIVE


@pytest.mark.parametrize("written", ["unbox", " Unbox ", "1", "👍", ""])
def test_an_unknown_event_type_stays_as_written(written: str) -> None:
    assert canonical_event_type(written) == written.strip()


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_event_type_is_its_own_spelling(name: str) -> None:
    assert canonical_event_type(name) == name
    assert canonical_event_type(name.upper().replace("_", " ")) == name


def test_known_event_types_share_a_string_and_those_of_clients_are_not_kept() -> None:
    written = "".join(["cl", "ick"])
    assert shared(written) is shared("click")
    assert written is not shared(written)
    for number in range(10):
        shared(f"event of a client {number}")
    assert _SHARED.keys() == KNOWN.keys()
