"""Searches by words in files: which rows are one, and what becomes of the words."""

from typing import Any

import pytest

from components.errors import StepError

HEADER = "user_id,item_id,event_type,timestamp,Search Term\n"


def test_a_row_with_words_and_without_an_item_is_a_search(home: Any) -> None:
    rows = "ann,,,1700000000, green tea \nann,tea,click,1700000001,green tea\nann,,view,1700000002,\n"
    home.ingest(interactions_file=home.write("log.csv", HEADER + rows))
    read = [(row["item_id"], row["event_type"], row["query"]) for row in home.rows("interactions")]
    assert read == [(None, "search", "green tea"), ("tea", "click", None), (None, "view", None)]
    assert [row["item_id"] for row in home.rows("items")] == ["tea"]


def test_a_file_may_have_searches_only(home: Any) -> None:
    clicks = home.write("clicks.csv", "user_id,item_id,timestamp\nann,tea,1700000000\n")
    home.ingest(interactions_file=clicks)
    searches = home.write("queries.csv", "visitor,query,when\nann,green tea,1700000001\n")
    home.ingest(interactions_file=searches)
    rows = [(row["item_id"], row["event_type"], row["query"]) for row in home.rows("interactions")]
    assert rows == [("tea", "click", None), (None, "search", "green tea")]


def test_a_column_that_may_be_the_item_is_asked_for(home: Any) -> None:
    file = home.write("log.csv", "user_id,widget,timestamp,query\nann,tea,1700000000,x\n")
    with pytest.raises(StepError, match="item_id \\(which item\\): not found"):
        home.ingest(interactions_file=file)


def test_equal_rows_without_words_keep_their_ids(home: Any) -> None:
    """Ids come from the content: a new column must not change those of rows that are ingested already."""
    home.ingest(interactions_file=home.write("log.csv", "user_id,item_id,timestamp\nann,tea,1700000000\n"))
    (row,) = home.rows("interactions")
    assert row["interaction_id"] == "04d1c1812b8cbb336946"


def test_the_search_calls_of_segment_keep_their_words(home: Any) -> None:
    calls = [
        '{"anonymousId": "a", "event": "Products Searched", "timestamp": "2024-01-01T00:00:00Z", '
        '"properties": {"query": "green tea", "product_id": null}}',
        '{"anonymousId": "a", "event": "Product Viewed", "timestamp": "2024-01-01T00:00:01Z", '
        '"properties": {"query": null, "product_id": "tea"}}',
    ]
    home.ingest(interactions_file=home.write("track.jsonl", "\n".join(calls)))
    rows = [(row["item_id"], row["event_type"], row["query"]) for row in home.rows("interactions")]
    assert rows == [(None, "search", "green tea"), ("tea", "view", None)]
