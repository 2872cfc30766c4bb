"""Items and users of public data sets and of other systems' exports are read as they are."""

from typing import Any

import pytest

# File, layout, rows, and one item: id, title, categories.
ITEMS = [
    (
        "news.tsv", "MIND news (news.tsv)", 9,
        ("N10549", "It's \"over: an odd quote", ["lifestyle", "lifestyleroyals"]),
    ),
    ("retailrocket_item_properties.csv", "RetailRocket item properties", 6, ("810001", None, ["1599"])),
    ("articles.csv", "H&M articles", 5, ("0900002004", "Warm hoodie", ["Garment Upper body", "Sweater"])),
    ("meta_All_Beauty.jsonl", "Amazon Reviews 2023 products", 5,
     ("B0MADEUP05", 'Daily 4, "Natural" Soap', ["Body", "Skin Care"])),
    ("yelp_academic_dataset_business.json", "Yelp businesses", 6,
     ("iG9v0ERU0Xs4AEx4BeIUV9", "Corner 2", ["Coffee & Tea", "Food"])),
    ("shop.item", "RecBole items (.item)", 5, ("702", "Made Film 2", ["Comedy", "Drama"])),
    ("gorse_items.csv", "gorse items", 5, ("repo:2", "A repository, number 2", ["ml", "python"])),
    ("metarank_events.jsonl", "metarank items", 4, ("9001", "Made Film 1", ["animation", "comedy"])),
    ("movies.dat", "MovieLens movies (movies.dat)", 5,
     ("5001", "Made Film (1995)", ["Animation", "Children's", "Comedy"])),
    ("movies.csv", "MovieLens movies", 5, ("3", "Chair (Kursi) (2005)", [])),
    ("userid-timestamp-artid-artname-traid-traname.tsv", "Last.fm 1K tracks", 6,
     ('作り話 "Untitled"', '作り話 – "Untitled"', ["作り話"])),
]  # fmt: skip


@pytest.mark.parametrize(("name", "layout", "number", "item"), ITEMS, ids=[case[0] for case in ITEMS])
def test_items_are_read_as_they_are(
    read: Any, name: str, layout: str, number: int, item: tuple[Any, ...]
) -> None:
    file = read(name, "items")
    assert file.layout == layout
    assert len(file.rows) == number
    assert [(row["item_id"], row["title"], row["categories"]) for row in file.find(item_id=item[0])] == [item]


def test_items_of_personalize_need_no_layout(read: Any) -> None:
    rows = read("personalize_items.csv", "items").rows
    assert [row["categories"] for row in rows[:2]] == [["action", "horror"], ["drama"]]
    assert rows[4]["categories"] is None


@pytest.mark.parametrize(
    ("name", "user", "attributes"),
    [
        ("users.dat", "4", {"gender": "F", "age": "45", "occupation": "14", "zip_code": "48067-1234"}),
        ("shop.user", "502", {"age": "22", "zip_code": "02106"}),
        ("userid-profile.tsv", "user_000001", {"gender": "f", "age": "31", "country": "Japan"}),
        ("yelp_academic_dataset_user.json", "E29Ba7-jUE-pJfuF1Rtw1k", {"average_stars": "3.5", "fans": "0"}),
        (
            "customers.csv",
            "f728b4fa42485e3a0a5d2f346baa9455e3e70682c2094cac629f6fbed82c07cd",
            {"age": "20.0", "FN": None, "club_member_status": "ACTIVE"},
        ),
    ],
)
def test_users_are_read_as_they_are(read: Any, name: str, user: str, attributes: dict[str, Any]) -> None:
    (row,) = read(name, "users").find(user_id=user)
    assert {name: row[name] for name in attributes} == attributes
