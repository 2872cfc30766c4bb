"""Usual names are known, a given column wins, and one question covers everything that is unclear."""

from typing import Any

import pytest

from components.errors import StepError
from components.ingest_interactions.columns.mapped_table import map_table

T = ["1700000000"]


@pytest.mark.parametrize(
    ("user", "item", "time"),
    [
        ("userId", "movieId", "timestamp"),
        ("USER_ID", "ITEM_ID", "TIMESTAMP"),
        ("user_id:token", "item_id:token", "timestamp:float"),
        ("visitorid", "itemid", "ts"),
        ("customer_id", "article_id", "t_dat"),
        ("reviewerID", "asin", "unixReviewTime"),
        ("uid", "track_id", "event_time"),
        ("CustomerID", "StockCode", "InvoiceDate"),
        ("session_id", "aid", "ts"),
        ("User", "Song ID", "Date"),
        ("msno", "song_id", "date"),
    ],
)
def test_usual_names_are_known(mapped: Any, user: str, item: str, time: str) -> None:
    table = mapped({user: ["u"], item: ["i"], time: T})
    assert table.mapping.paths == {"user_id": user, "item_id": item, "timestamp": time}
    assert table.relation.fetchall() == [(1, "u", "i", T[0])]


def test_near_names_are_taken_as_value_and_event_type(mapped: Any) -> None:
    table = mapped({"user": ["u"], "item": ["i"], "time": T, "stars": ["4"], "action": ["buy"]})
    assert table.mapping.paths["value"] == "stars"
    assert table.mapping.paths["event_type"] == "action"


@pytest.mark.parametrize("amount", ["price", "quantity", "event_value"])
def test_an_amount_is_a_value_only_beside_an_event_type(mapped: Any, amount: str) -> None:
    columns = {"user": ["u"], "item": ["i"], "time": T, amount: ["4"]}
    assert "value" not in mapped(columns).mapping.paths
    assert mapped(columns).ignored == (amount,)
    assert mapped(columns | {"event": ["buy"]}).mapping.paths["value"] == amount


def test_user_comes_before_session_and_product_before_sku(mapped: Any) -> None:
    table = mapped({"session_id": ["s"], "user_id": ["u"], "sku": ["k"], "product_id": ["p"], "ts": T})
    assert table.mapping.paths == {"user_id": "user_id", "item_id": "product_id", "timestamp": "ts"}


def test_all_unknown_columns_are_ignored_and_told_at_once(mapped: Any) -> None:
    table = mapped({"user": ["u"], "item": ["i"], "ts": T, "colour": ["c"], "shop": ["s"], "Unnamed: 0": [0]})
    assert table.ignored == ("colour", "shop", "Unnamed: 0")
    assert table.description == [
        "columns: user → user_id, item → item_id, ts → timestamp; not used: colour, shop, Unnamed: 0"
    ]


def test_a_given_column_comes_before_a_usual_name(mapped: Any) -> None:
    columns = {"user_id": ["u"], "device": ["d"], "item": ["i"], "ts": T, "rating": ["4"]}
    table = mapped(columns, given={"device": "user_id", "rating": ""})
    assert table.mapping.paths == {"user_id": "device", "item_id": "item", "timestamp": "ts"}
    assert table.ignored == ("user_id", "rating")


def test_a_given_text_is_the_value_of_every_row(mapped: Any) -> None:
    table = mapped({"user": ["u"], "item": ["i"], "ts": T}, given={"'purchase'": "event_type"})
    assert table.relation.project("event_type").fetchall() == [("purchase",)]


def test_two_given_columns_make_one_time(mapped: Any) -> None:
    columns = {"user": ["u"], "item": ["i"], "day": ["2024-01-31"], "hour": ["12:00"]}
    table = mapped(columns, given={"day+hour": "timestamp"})
    assert table.relation.project('"timestamp"').fetchall() == [("2024-01-31 12:00",)]


def test_missing_columns_are_one_question_with_the_nearest_names_and_the_option(mapped: Any) -> None:
    with pytest.raises(StepError) as raised:
        mapped({"usr_id": ["u"], "product_idd": ["i"], "moment": T, "stars": ["1"]})
    assert str(raised.value) == (
        "log.csv: it is not clear which column is which; this file has usr_id, product_idd, moment, stars\n"
        "  understood: stars → value\n"
        "  user_id (who): not found; perhaps usr_id?\n"
        "  item_id (which item): not found; perhaps product_idd?\n"
        "  timestamp (when): not found\n"
        "Say which it is with --columns 'usr_id=user_id,product_idd=item_id,NAME=timestamp', or in the file "
        'log.csv.toml beside it: [columns] and a line such as "usr_id" = "user_id"'
    )


def test_competing_columns_are_asked_for_and_not_guessed(mapped: Any) -> None:
    columns = {
        "customer_id": ["u"],
        "account_id": ["a"],
        "item": ["i"],
        "ts": T,
        "score": ["1"],
        "stars": ["2"],
    }
    with pytest.raises(StepError) as raised:
        mapped(columns)
    assert "user_id (who): customer_id or account_id?" in str(raised.value)
    assert "value (rating or amount): score or stars?" in str(raised.value)
    assert "--columns 'customer_id=user_id,score=value'" in str(raised.value)
    assert (
        mapped(columns, given={"account_id": "user_id", "stars": "value"}).mapping.paths["value"] == "stars"
    )


def test_a_date_and_a_time_are_suggested_together(mapped: Any) -> None:
    with pytest.raises(
        StepError, match=r"date or time\?\nSay which it is with --columns 'date\+time=timestamp'"
    ):
        mapped({"user": ["u"], "item": ["i"], "date": ["2024-01-31"], "time": ["12:00"]})


def test_a_file_without_names_is_asked_about_with_its_first_cells(connection: Any) -> None:
    rows = connection.sql("SELECT 1 AS source_row, 'ann' AS column_1, 'tea' AS column_2, NULL AS column_3")
    with pytest.raises(StepError, match=r"this file has column_1 \('ann'\), column_2 \('tea'\), column_3\n"):
        map_table(rows, "interactions", "log.csv", {}, has_names=False)


def test_the_lines_of_invoices_are_purchases_with_a_quantity(mapped: Any) -> None:
    columns = {
        "InvoiceNo": ["C1"],
        "StockCode": ["i"],
        "CustomerID": ["u"],
        "InvoiceDate": T,
        "Quantity": ["-1"],
    }
    table = mapped({**columns, "UnitPrice": ["2.5"]})
    assert table.relation.project("event_type, value").fetchall() == [("purchase", "-1")]
    assert "'purchase' → event_type" in table.mapping.text


def test_a_given_name_that_the_file_lacks_is_refused_with_the_nearest(mapped: Any) -> None:
    with pytest.raises(StepError, match=r"--columns names visitor, which .* do you mean visitorid\?"):
        mapped({"visitorid": ["u"], "item": ["i"], "ts": T}, given={"visitor": "user_id"})


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("clicks.csv", "click"),
        ("shop_purchases.parquet", "purchase"),
        ("dislikes.parquet", "dislike"),
        ("listens.csv.gz", "listen"),
        ("reports.csv", None),
        ("interactions.csv", None),
        ("log.csv", None),
    ],
)
def test_the_event_type_may_stand_in_the_name_of_the_file(mapped: Any, name: str, event: str | None) -> None:
    table = mapped({"user": ["u"], "item": ["i"], "ts": T}, name=name)
    assert ("event_type" in table.relation.columns) == (event is not None)
    if event:
        assert table.relation.project("event_type").fetchall() == [(event,)]
        assert table.notes[0].startswith(f"every row is a {event!r}, by the file's name")


class TestNested:
    def test_a_list_of_structs_becomes_rows(self, mapped: Any) -> None:
        events = [[{"aid": 5, "at": 7}, {"aid": 6, "at": 8}], []]
        table = mapped(
            {"session": [1, 2], "events": events},
            given={"events[].at": "timestamp", "events[].aid": "item_id"},
        )
        assert table.relation.fetchall() == [(1, 1, 5, 7), (1, 1, 6, 8), (2, 2, None, None)]

    def test_fields_of_structs_are_found_by_their_last_part(self, mapped: Any) -> None:
        columns = {"user": [{"id": "u"}], "properties": [{"product_id": "p", "price": 3.0}], "timestamp": T}
        table = mapped(columns)
        assert table.mapping.paths["user_id"] == "user.id"
        assert table.mapping.paths["item_id"] == "properties.product_id"

    def test_json_text_is_read_by_its_path(self, mapped: Any) -> None:
        items = ['[{"id": "a"}, {"id": "b"}]', "broken"]
        table = mapped({"user": ["u", "v"], "items": items, "ts": T * 2}, given={"items[].id": "item_id"})
        assert table.relation.project("user_id, item_id").fetchall() == [("u", "a"), ("u", "b"), ("v", None)]

    def test_the_first_alternative_with_a_value_counts(self, mapped: Any) -> None:
        columns = {"member": ["m", None], "cookie": ["c", "d"], "item": ["i", "j"], "ts": T * 2}
        table = mapped(columns, given={"member|cookie": "user_id"})
        assert table.relation.project("user_id").fetchall() == [("m",), ("d",)]

    def test_two_lists_are_refused(self, mapped: Any) -> None:
        columns = {"a": [[{"x": 1}]], "b": [[{"y": 1}]], "ts": T, "user": ["u"]}
        with pytest.raises(StepError, match=r"a\[\] and b\[\] are two lists"):
            mapped(columns, given={"a[].x": "item_id", "b[].y": "value"})


class TestItemsAndUsers:
    def test_other_columns_stay_and_nested_ones_are_told(self, mapped: Any) -> None:
        columns = {"id": [1], "name": ["Tea"], "genres": ["hot"], "colour": ["green"], "size": [{"w": 1}]}
        table = mapped(columns, "items", "items.csv")
        assert table.relation.columns == ["source_row", "item_id", "title", "categories", "colour"]
        assert table.ignored == ("size",)

    def test_a_title_comes_before_a_name_and_genres_before_tags(self, mapped: Any) -> None:
        columns = {"sku": [1], "name": ["N"], "title": ["T"], "tags": ["a"], "genres": ["b"]}
        table = mapped(columns, "items", "items.csv")
        assert table.mapping.paths == {"item_id": "sku", "title": "title", "categories": "genres"}
        assert {"name", "tags"} <= set(table.relation.columns)

    def test_a_row_number_of_pandas_is_no_attribute(self, mapped: Any) -> None:
        table = mapped({"Unnamed: 0": [0], "user_id": ["u"], "age": [31]}, "users", "users.csv")
        assert table.relation.columns == ["source_row", "user_id", "age"]

    def test_a_given_path_may_become_a_further_column(self, mapped: Any) -> None:
        columns = {"item_id": [1], "details": [{"brand": "Acme"}]}
        table = mapped(columns, "items", "items.csv", {"details.brand": "brand"})
        assert table.relation.project("brand").fetchall() == [("Acme",)]
