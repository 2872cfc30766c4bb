"""Retractions: sources and rows are withdrawn for good, atomically, and can be taken back."""

import time
from typing import Any

import pytest

from components.errors import StepError
from components.ingest_interactions.warehouse.manifest import Warehouse
from components.ingest_interactions.warehouse.retracted_rows import condition_sql
from components.ingest_interactions.warehouse.retraction import retract, undo
from components.ingest_interactions.warehouse.source_list import list_sources
from feature_repo.interaction import Interaction
from serving.user_data.interaction_log import InteractionLog

DAY = 1_700_000_000
ROWS = f"""user_id,item_id,timestamp,event_type,value
ann,tea,{DAY},view,
ann,milk,{DAY + 5},purchase,2.5
bob,tea,{DAY + 1},view,
"""


def items(home: Any) -> list[tuple[str, str]]:
    return [(row["user_id"], row["item_id"]) for row in home.rows("interactions")]


def record(home: Any, *interactions: Interaction) -> str:
    url = f"sqlite:///{home.root}/log.sqlite"
    log = InteractionLog(url)
    log.record(interactions)
    log.close()
    return url


class TestSource:
    def test_a_source_is_withdrawn_with_all_its_tables(self, home: Any) -> None:
        home.ingest(interactions_file=home.write("keep.csv", f"user_id,item_id,timestamp\neve,film,{DAY}\n"))
        home.ingest(
            {},
            interactions_file=home.write("log.csv", ROWS),
            items_file=home.write("items.csv", "item_id,title\ntea,Tea\n"),
            reading={"source": "shop"},
        )
        assert retract(str(home.warehouse), "shop", []).rows == 4
        home.ingest()
        assert items(home) == [("eve", "film")]
        assert [row["item_id"] for row in home.rows("items")] == ["film"]
        assert len(list(home.warehouse.rglob("*.parquet"))) == 1, "withdrawn rows are still on the disk"

    def test_a_withdrawn_file_comes_back_when_it_is_given_again(self, home: Any) -> None:
        file = home.write("log.csv", ROWS)
        home.ingest(interactions_file=file)
        retract(str(home.warehouse), "log.csv", [])
        with pytest.raises(StepError, match="no interactions yet"):
            home.ingest()
        home.ingest(interactions_file=file)
        assert len(items(home)) == 3

    def test_another_catalog_may_follow_when_everything_was_withdrawn(self, home: Any) -> None:
        home.ingest(interactions_file=home.write("log.csv", ROWS))
        retract(str(home.warehouse), "log.csv", [])
        assert Warehouse(str(home.warehouse)).watermarks.catalog == ""

    def test_withdrawn_recorded_interactions_stay_out_and_later_ones_come_in(self, home: Any) -> None:
        url = record(home, Interaction("r1", "ann", "tea", "view", DAY * 1_000_000))
        home.ingest(interactions_file=home.write("log.csv", ROWS), interaction_log=url)
        retract(str(home.warehouse), "log", [])
        later = time.time_ns() // 1000
        record(home, Interaction("r2", "ann", "cake", "view", later))
        home.ingest(interaction_log=url)
        assert {row["interaction_id"] for row in home.rows("interactions")} >= {"r2"}
        assert "r1" not in {row["interaction_id"] for row in home.rows("interactions")}

    def test_an_unknown_source_is_refused_with_the_known_ones(self, home: Any) -> None:
        home.ingest(interactions_file=home.write("log.csv", ROWS))
        with pytest.raises(StepError, match=r"unknown source 'sales.csv'.*has: log.csv"):
            retract(str(home.warehouse), "sales.csv", [])
        with pytest.raises(StepError, match="--source NAME, --where CONDITION"):
            retract(str(home.warehouse), "", [])


class TestRows:
    @pytest.mark.parametrize(
        ("conditions", "left"),
        [
            (["user_id=ann"], [("bob", "tea")]),
            (["user_id = ann", "event_type!=view"], [("ann", "tea"), ("bob", "tea")]),
            (["value="], [("ann", "milk")]),
            (["value!="], [("ann", "tea"), ("bob", "tea")]),
            (["value>=2.5"], [("ann", "tea"), ("bob", "tea")]),
            (["timestamp>2023-11-14T22:13:21Z"], [("ann", "tea"), ("bob", "tea")]),
            (["timestamp<2023-11-15", "item_id=milk"], [("ann", "tea"), ("bob", "tea")]),
        ],
    )
    def test_rows_that_meet_all_conditions_are_withdrawn(
        self, home: Any, conditions: list[str], left: list[tuple[str, str]]
    ) -> None:
        home.ingest(interactions_file=home.write("log.csv", ROWS))
        assert retract(str(home.warehouse), "", conditions).rows == 3 - len(left)
        home.ingest()
        assert items(home) == left
        assert len(list(home.warehouse.rglob("*.parquet"))) == 1

    def test_they_stay_out_when_a_file_brings_them_again_and_later_ones_do_not(self, home: Any) -> None:
        home.ingest(interactions_file=home.write("log.csv", ROWS))
        retract(str(home.warehouse), "log.csv", ["user_id=ann"])
        grown = ROWS + "ann,cake,4000000000,view,\n"  # after the retraction
        home.ingest(interactions_file=home.write("log.csv", grown))
        assert items(home) == [("ann", "cake"), ("bob", "tea")]
        home.ingest(interactions_file=home.write("other.csv", ROWS.replace("view", "click")))
        assert ("ann", "tea") in items(home), "the rule of one source concerns another one"

    def test_a_retraction_is_taken_back(self, home: Any) -> None:
        file = home.write("log.csv", ROWS)
        home.ingest(interactions_file=file)
        number = retract(str(home.warehouse), "", ["user_id=ann"]).number
        home.ingest(interactions_file=file)
        assert items(home) == [("bob", "tea")]

        assert undo(str(home.warehouse), number) == ["log.csv"]
        home.ingest(interactions_file=file)
        assert len(items(home)) == 3
        with pytest.raises(StepError, match=r"retraction 1 can't be taken back.*there is none"):
            undo(str(home.warehouse), number)

    def test_recorded_interactions_return_after_an_undo(self, home: Any) -> None:
        url = record(home, Interaction("r1", "ann", "tea", "view", DAY * 1_000_000))
        home.ingest(interactions_file=home.write("log.csv", ROWS), interaction_log=url)
        number = retract(str(home.warehouse), "log", ["user_id=ann"]).number
        home.ingest(interaction_log=url)
        assert "r1" not in {row["interaction_id"] for row in home.rows("interactions")}
        undo(str(home.warehouse), number)
        home.ingest(interaction_log=url)
        assert "r1" in {row["interaction_id"] for row in home.rows("interactions")}

    def test_a_condition_that_no_row_meets_is_refused(self, home: Any) -> None:
        home.ingest(interactions_file=home.write("log.csv", ROWS))
        with pytest.raises(StepError, match=r"no interaction meets user_id=eve; nothing was withdrawn"):
            retract(str(home.warehouse), "", ["user_id=eve"])
        assert Warehouse(str(home.warehouse)).watermarks.retractions == []

    @pytest.mark.parametrize(
        ("condition", "message"),
        [
            ("user=7", r"--where user=7: expected COLUMN=VALUE.*user_id"),
            ("user_id", r"expected COLUMN=VALUE"),
            ("user_id<7", r"only timestamp and value have an order"),
            ("value=high", r"'high' is not a number"),
            ("timestamp<yesterday", r"'yesterday' is not a time such as"),
        ],
    )
    def test_a_wrong_condition_is_refused(self, condition: str, message: str) -> None:
        with pytest.raises(StepError, match=message):
            condition_sql(condition)

    def test_a_value_is_no_sql(self, home: Any) -> None:
        home.ingest(interactions_file=home.write("log.csv", ROWS))
        with pytest.raises(StepError, match="no interaction meets"):
            retract(str(home.warehouse), "", ["user_id=x' OR '1'='1"])


def test_sources_are_listed_with_their_rows_and_spans(home: Any) -> None:
    home.ingest(
        interactions_file=home.write("log.csv", ROWS), items_file=home.write("items.csv", "item_id\ntea\n")
    )
    retract(str(home.warehouse), "", ["user_id=bob"])
    (interactions, catalog), (retraction,) = list_sources(str(home.warehouse))
    assert (interactions.source, interactions.table, interactions.rows) == ("log.csv", "interactions", 2)
    assert (interactions.first, interactions.last) == (DAY * 1_000_000, (DAY + 5) * 1_000_000)
    assert interactions.location == str(home.root / "log.csv")
    assert interactions.ingested_at > DAY * 1_000_000
    assert (catalog.source, catalog.table, catalog.rows, catalog.first) == ("items.csv", "items", 1, None)
    assert (retraction.number, retraction.conditions, retraction.rows) == (1, ["user_id=bob"], 1)


def test_rows_of_a_wrong_year_are_withdrawn_by_their_time_and_stay_out(home: Any) -> None:
    late = f"user_id,item_id,timestamp\nann,tea,2611-05-15\nann,milk,{DAY}\n".replace(str(DAY), "2023-11-14")
    home.ingest(interactions_file=home.write("log.csv", late))
    assert retract(str(home.warehouse), "", ["timestamp>2100-01-01"]).rows == 1
    home.ingest(interactions_file=home.write("log.csv", late + "bob,tea,2023-11-15\n"))
    assert sorted(items(home)) == [("ann", "milk"), ("bob", "tea")]


def test_a_run_and_a_retraction_at_the_same_time_do_not_undo_each_other(home: Any) -> None:
    home.ingest(interactions_file=home.write("log.csv", ROWS))
    run = Warehouse(str(home.warehouse))
    retract(str(home.warehouse), "", ["user_id=ann"])
    run.watermarks.catalog = "other"
    with pytest.raises(StepError, match="another run or retraction has changed the warehouse"):
        run.commit()
    assert [part.rows for part in Warehouse(str(home.warehouse)).listed()] == [1]
