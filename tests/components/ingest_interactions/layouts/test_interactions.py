"""Interactions of public data sets and of other systems' exports are read as they are."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_repo.event_types import KNOWN, canonical_event_type
from tests.components.ingest_interactions.layouts.conftest import FILES


def micros(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000_000)


# File, layout, event type -> rows, and user, item, event type, value and time of the first row.
CASES = [
    (
        "retailrocket_events.csv",
        "RetailRocket events",
        {"view": 16, "addtocart": 2, "transaction": 2},
        ("700001", "810001", "view", None, 1450000000123000),
    ),
    (
        "yoochoose-clicks.dat",
        "YooChoose clicks",
        {"click": 20},
        ("1", "300000500", "click", None, micros("2014-05-06T07:08:09.120")),
    ),
    (
        "yoochoose-buys.dat",
        "YooChoose buys",
        {"purchase": 20},
        ("1", "300000500", "purchase", 500.0, micros("2014-05-06T07:08:09.120")),
    ),
    (
        "yelp_academic_dataset_review.json",
        "Yelp reviews",
        {"rate": 20},
        ("E29Ba7-jUE-pJfuF1Rtw1k", "_iuf8qKocKTsMsocYIq2LI", "rate", 5.0, micros("2018-01-07T22:09:10")),
    ),
    (
        "behaviors.tsv",
        "MIND impressions (behaviors.tsv)",
        {"impression": 80, "click": 20 + 6},
        ("U101", "N10001", "click", None, micros("2019-11-09T20:10:58")),
    ),
    (
        "transactions_train.csv",
        "H&M transactions",
        {"purchase": 20},
        (
            "f728b4fa42485e3a0a5d2f346baa9455e3e70682c2094cac629f6fbed82c07cd",
            *("0900000001", "purchase", 0.04, micros("2018-09-20")),
        ),
    ),
    (
        "All_Beauty.csv",
        "Amazon Reviews 2023",
        {"rate": 20},
        ("AAAAMADEUPUSERAAAAAAAAAAAAAQ", "B0MADEUP01", "rate", 5.0, 1590000000123000),
    ),
    (
        "All_Beauty.jsonl",
        "Amazon Reviews 2023",
        {"rate": 20},
        ("AAAAMADEUPUSERAAAAAAAAAAAAAQ", "B0MADEUP01", "rate", 5.0, 1590000000123000),
    ),
    (
        "userid-timestamp-artid-artname-traid-traname.tsv",
        "Last.fm 1K listening events",
        {"listen": 20},
        (
            *("user_000001", "f3a3c571-7476-1899-75a3-adb3254a9493", "listen", None),
            micros("2009-06-01T10:07:08"),
        ),
    ),
    (
        "otto-recsys-train.jsonl",
        "OTTO sessions",
        {"clicks": 12, "carts": 5, "orders": 5},
        ("20000001", "70000", "clicks", None, 1661800000123000),
    ),
    (
        "shop.inter",
        "RecBole interactions (.inter)",
        {"rate": 20},
        ("500", "700", "rate", 3.0, 1000000000000000),
    ),
    (
        "rectools_interactions.csv",
        "RecTools interactions",
        {"view": 20},
        ("800000", "9000", "view", 1.0, micros("2021-05-10")),
    ),
    (
        "gorse_feedback.csv",
        "gorse feedback",
        {"read": 10, "star": 5, "like": 5},
        ("u0", "repo:0", "read", None, micros("2023-02-01T11:12:13")),
    ),
    (
        "personalize_interactions.csv",
        "Amazon Personalize interactions with impressions",
        {"Click": 5, "Watch": 5, "AddToCart": 5, "Purchase": 5, "impression": 40},
        ("u-00", "99130", "Click", 0.5, 1600000000000000),
    ),
    (
        "ga4_events.jsonl",
        "Google Analytics 4 export",
        # one of the two items viewed is "(not set)"; the other events without an item are left out
        {
            "view_item": 1, "add_to_cart": 2, "begin_checkout": 4, "purchase": 4,
            "view_item_list": 6, "select_item": 2, "remove_from_cart": 2,
        },
        ("999000.1234567890", "9900004", "add_to_cart", 16.0, 1612100003000602),
    ),
    (
        "segment_tracks.jsonl",
        "Segment track calls",
        {
            "Product List Viewed": 6, "Product Viewed": 4, "Product Clicked": 2, "Product Added": 2,
            "Checkout Started": 4, "Order Completed": 4, "Product Removed": 2,
            "Products Searched": 2,
        },
        ("user-1", "90710", "Product List Viewed", 18.99, micros("2024-03-04T10:01:00.623")),
    ),
    (
        "snowplow_enriched.tsv",
        "Snowplow enriched events",
        {"product_view": 3, "add_to_cart": 6, "list_view": 9, "transaction": 6, "transaction_item": 2},
        ("jon", "SKU-00", "product_view", 25.5, micros("2023-06-10T09:00:01")),
    ),
    (
        "snowplow_events.jsonl",
        "Snowplow events as JSON",
        {"product_view": 3, "add_to_cart": 6, "list_view": 9, "transaction": 6, "transaction_item": 2},
        ("jon", "SKU-00", "product_view", 25.5, micros("2023-06-10T09:00:01")),
    ),
    (
        "metarank_events.jsonl",
        "metarank events",
        {"ranking": 24, "click": 6, "purchase": 2},
        ("alice", "9000", "ranking", None, 1640086800000000),
    ),
    (
        "ratings.dat",
        "MovieLens ratings without a header (ratings.dat, u.data)",
        {"rate": 20},
        ("1", "5001", "rate", 3.0, 990000000000000),
    ),
    (
        "UserBehavior.csv",
        "Taobao user behavior",
        {"pv": 8, "cart": 4, "fav": 4, "buy": 4},
        ("100", "2000", "pv", None, 1511500000000000),
    ),
    ("ratings.csv", "MovieLens ratings", {"rate": 20}, ("1", "1", "rate", 4.0, 965000000000000)),
    ("tags.csv", "MovieLens tags", {"comment": 20}, ("1", "1", "comment", None, 1445700000000000)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "layout", "events", "first"), CASES, ids=[case[0] for case in CASES])
def test_a_layout_is_read_as_it_is(
    read: Any, name: str, layout: str, events: dict[str, int], first: tuple[Any, ...]
) -> None:
    file = read(name)
    assert file.layout == layout
    assert dict(file.event_types) == events
    assert file.first("user_id", "item_id", "event_type", "value", "timestamp") == first
    assert all(row["user_id"] and row["timestamp"] for row in file.rows)
    assert all(row["item_id"] or row["query"] for row in file.rows)


def test_the_history_of_mind_comes_before_the_first_impression_in_its_order(read: Any) -> None:
    clicks = read("behaviors.tsv").find(user_id="U101", event_type="click")
    first = micros("2019-11-09T12:14:58")
    before = sorted((row["timestamp"] - first, row["item_id"]) for row in clicks if row["timestamp"] < first)
    assert before == [(-3_000_000, "N10001"), (-2_000_000, "N10138"), (-1_000_000, "N10275")]


def test_given_columns_that_a_layout_leaves_out_come_before_the_layout(read: Any) -> None:
    given = {"column_2": "user_id", "column_4": "item_id", "column_1": "timestamp"}
    file = read("behaviors.tsv", given=given)
    assert file.mapped.mapping.layout is None
    assert file.first("user_id", "item_id") == ("U101", "N10001 N10138 N10275")


def test_a_last_fm_track_without_an_id_is_named_by_artist_and_title(read: Any) -> None:
    items = {row["item_id"] for row in read("userid-timestamp-artid-artname-traid-traname.tsv").rows}
    assert '作り話 "Untitled"' in items
    assert len(items) == 6


def test_the_user_of_an_anonymous_event_is_the_browser(read: Any) -> None:
    ga4 = read("ga4_events.jsonl")
    assert {row["user_id"] for row in ga4.rows if row["source_row"] > 10} == {"member-7"}
    segment = read("segment_tracks.jsonl")
    assert {row["user_id"] for row in segment.find(source_row=4)} == {"anon-0"}
    assert "2 events without an item left out (page 2)" in segment.mapped.notes


def test_searches_keep_their_words(read: Any) -> None:
    segment = read("segment_tracks.jsonl")
    searches = [row for row in segment.rows if row["event_type"] == "Products Searched"]
    assert [(row["item_id"], row["query"]) for row in searches] == [(None, "blue games")] * 2


def test_a_yelp_review_keeps_its_id(read: Any) -> None:
    reviews = [
        json.loads(line) for line in (FILES / "yelp_academic_dataset_review.json").read_text().splitlines()
    ]
    assert [row["interaction_id"] for row in read("yelp_academic_dataset_review.json").rows] == [
        review["review_id"] for review in reviews
    ]


class TestYambda:
    """Parquet with relative times in seconds."""

    @pytest.fixture
    def columns(self) -> dict[str, pa.Array]:
        return {
            "uid": pa.array([100 + n % 4 for n in range(20)], pa.uint32()),
            "timestamp": pa.array([5 * n for n in range(20)], pa.uint32()),
            "item_id": pa.array([4_000_000_000 + n % 5 for n in range(20)], pa.uint32()),
            "is_organic": pa.array([n % 2 for n in range(20)], pa.uint8()),
        }

    def test_several_event_types(self, read: Any, tmp_path: Path, columns: dict[str, pa.Array]) -> None:
        columns["event_type"] = pa.array(["listen", "like", "dislike", "unlike"] * 5).dictionary_encode()
        columns["played_ratio_pct"] = pa.array([120, None, None, None] * 5, pa.uint16())
        columns["track_length_seconds"] = pa.array([200, None, None, None] * 5, pa.uint32())
        pq.write_table(pa.table(columns), tmp_path / "multi_event.parquet")
        file = read(tmp_path / "multi_event.parquet")
        assert file.layout == "Yambda, several event types"
        assert dict(file.event_types) == {"listen": 5, "like": 5, "dislike": 5, "unlike": 5}
        assert file.first("user_id", "item_id", "value") == ("100", "4000000000", 120.0)
        assert file.mapped.ignored == ("is_organic", "track_length_seconds")

    def test_listens_and_dislikes(self, read: Any, tmp_path: Path, columns: dict[str, pa.Array]) -> None:
        pq.write_table(pa.table(columns), tmp_path / "dislikes.parquet")
        assert dict(read(tmp_path / "dislikes.parquet").event_types) == {"dislike": 20}
        columns["played_ratio_pct"] = pa.array([7] * 20, pa.uint16())
        pq.write_table(pa.table(columns), tmp_path / "part.parquet")
        listens = read(tmp_path / "part.parquet")
        assert (listens.layout, dict(listens.event_types)) == ("Yambda listens", {"listen": 20})


def test_a_ga4_export_as_parquet_is_read_like_the_json(read: Any, tmp_path: Path) -> None:
    events = [json.loads(line) for line in (FILES / "ga4_events.jsonl").read_text().splitlines()]
    for event in events:
        event["event_timestamp"] = int(event["event_timestamp"])
        del event["ecommerce"], event["event_params"]
    pq.write_table(pa.Table.from_pylist(events), tmp_path / "ga4.parquet")
    columns = ("user_id", "item_id", "event_type", "value", "timestamp")
    rows, expected = read(tmp_path / "ga4.parquet").rows, read("ga4_events.jsonl").rows
    assert [[row[name] for name in columns] for row in rows] == [
        [row[name] for name in columns] for row in expected
    ]


@pytest.mark.parametrize("name", [case[0] for case in CASES])
def test_every_event_type_of_a_layout_is_known(read: Any, name: str) -> None:
    assert {canonical_event_type(event) for event in read(name).event_types} <= KNOWN.keys()
