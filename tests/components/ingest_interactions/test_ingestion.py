"""Ingesting: new rows are added once, the snapshot is ordered, and one home has one catalog."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.errors import StepError
from components.ingest_interactions.component import ingest_interactions
from components.ingest_interactions.feedback.feedback_options import FeedbackOptions
from components.ingest_interactions.ingestion import Outputs, Sources, ingest
from components.ingest_interactions.warehouse import snapshot
from components.ingest_interactions.warehouse.manifest import Warehouse
from feature_repo.interaction import Interaction
from feature_repo.table_schemas import ITEMS
from serving.user_data.interaction_log import InteractionLog

DAY = 1_700_000_000
BASIC = f"user_id,item_id,timestamp\nann,tea,{DAY}\nann,milk,{DAY + 5}\nbob,tea,{DAY + 1}\n"


def micros(rows: list[dict[str, Any]]) -> list[int]:
    return [round(row["timestamp"].timestamp() * 1_000_000) for row in rows]


def test_the_snapshot_has_the_columns_of_the_contract_and_is_sorted(home: Any) -> None:
    home.ingest(interactions_file=home.write("log.csv", BASIC))

    table = home.table("interactions")
    assert table.schema == snapshot.SNAPSHOT
    rows = table.to_pylist()
    assert [(row["user_id"], row["item_id"]) for row in rows] == [
        ("ann", "tea"),
        ("ann", "milk"),
        ("bob", "tea"),
    ]
    assert rows[0]["timestamp"] == datetime.fromtimestamp(DAY, UTC)
    assert {row["event_type"] for row in rows} == {"view"}
    assert home.table("items").schema.names[: len(ITEMS)] == ITEMS.names
    assert [row["item_id"] for row in home.rows("items")] == ["milk", "tea"]
    assert home.rows("users") == [{"user_id": "ann"}, {"user_id": "bob"}]


def test_as_of_is_the_start_of_the_ingest(home: Any) -> None:
    before = datetime.now(UTC).timestamp() * 1_000_000
    as_of = home.ingest(interactions_file=home.write("log.csv", BASIC))
    assert before - 1 <= as_of <= datetime.now(UTC).timestamp() * 1_000_000


def test_ingesting_the_same_file_again_changes_nothing(home: Any, capsys: pytest.CaptureFixture[str]) -> None:
    file = home.write("log.csv", BASIC)
    home.ingest(interactions_file=file)
    first, parts = home.table("interactions"), sorted(home.warehouse.rglob("*.parquet"))

    home.ingest(interactions_file=file)

    assert home.table("interactions").equals(first)
    assert sorted(home.warehouse.rglob("*.parquet")) == parts
    assert "the same content is already ingested" in capsys.readouterr().out


def test_exact_duplicates_in_one_file_are_one_interaction(home: Any) -> None:
    home.ingest(interactions_file=home.write("log.csv", BASIC + f"ann,tea,{DAY}\n"))
    assert len(home.rows("interactions")) == 3


def test_a_run_without_sources_writes_the_same_snapshot(home: Any) -> None:
    home.ingest(interactions_file=home.write("log.csv", BASIC))
    first = home.table("interactions")
    home.ingest()
    assert home.table("interactions").equals(first)


def test_an_empty_warehouse_without_sources_is_an_error_with_advice(home: Any) -> None:
    with pytest.raises(StepError, match=r"no interactions.*--dataset.*--interactions FILE"):
        home.ingest()


class TestOrder:
    @pytest.mark.parametrize(
        "header", ["user_id,item_id,timestamp", "interaction_id,user_id,item_id,timestamp"]
    )
    def test_the_snapshot_does_not_depend_on_the_order_of_the_file(self, home: Any, header: str) -> None:
        with_ids = header.startswith("interaction_id")
        rows = [
            (f"{7 * row % 10}," if with_ids else "")
            + f"{'ann' if row % 2 else 'bob'},{item},{DAY + row // 5}\n"
            for row, item in enumerate("zbmaqcxyvd")
        ]
        snapshots = []
        for number, ordered in enumerate((rows, rows[::-1], rows[5:] + rows[:5])):
            other = type(home)(home.root / str(number))
            other.root.mkdir()
            other.ingest(interactions_file=other.write("log.csv", f"{header}\n" + "".join(ordered)))
            snapshots.append((other.root / "interactions.parquet").read_bytes())
        assert snapshots[0] == snapshots[1] == snapshots[2]

    def test_equal_times_stay_equal_in_the_order_of_the_ids(self, home: Any) -> None:
        rows = "".join(f"{id},ann,{item},{DAY}\n" for id, item in zip("cab", "xyz", strict=True))
        header = "interaction_id,user_id,item_id,timestamp\n"
        home.ingest(interactions_file=home.write("log.csv", header + rows))
        ordered = home.rows("interactions")
        assert [row["item_id"] for row in ordered] == ["y", "z", "x"]
        assert micros(ordered) == [DAY * 1_000_000] * 3


class TestItemsAndUsers:
    def test_the_newest_table_wins_and_items_of_interactions_alone_have_nulls(self, home: Any) -> None:
        home.ingest(
            interactions_file=home.write("log.csv", BASIC),
            items_file=home.write("items.csv", "item_id,title,colour\ntea,Old,green\ncake,Cake,\n"),
            users_file=home.write("users.csv", "user_id,age,zip\nann,31,01234\n"),
        )
        home.ingest(items_file=home.write("new.csv", "item_id,title,categories\ntea,Tea,hot| drink\n"))

        items = {row.pop("item_id"): row for row in home.rows("items")}
        assert list(items) == ["cake", "milk", "tea"]
        assert items["tea"]["title"] == "Tea"
        assert items["tea"]["categories"] == ["drink", "hot"]
        assert items["tea"]["colour"] is None
        assert items["milk"]["title"] is None
        assert home.rows("users") == [
            {"user_id": "ann", "age": 31.0, "zip": "01234"},
            {"user_id": "bob", "age": None, "zip": None},
        ]

    def test_a_column_with_the_name_of_the_warehouses_own_is_kept_under_another_one(self, home: Any) -> None:
        items = home.write("items.csv", "item_id,title,Part\ntea,Tea,leaf\n")
        home.ingest(interactions_file=home.write("log.csv", BASIC), items_file=items)
        home.ingest(items_file=home.write("more.csv", "item_id,title,part\nmilk,Milk,cow\n"))
        described = {row["item_id"]: row["Part_"] for row in home.rows("items")}
        assert described == {"milk": "cow", "tea": "leaf"}

    def recommended(self, home: Any) -> set[str]:
        return {row["item_id"] for row in home.rows("items") if row["available_until"] is None}

    def test_an_undescribed_item_needs_several_users_on_several_days(
        self, home: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        days = {"few": (0, 1), "one day": (0, 0, 0), "chosen": (0, 1, 1), "tea": (0,)}
        rows = [
            f"u{user},{item},{DAY + 86_400 * day},view"
            for item in days
            for user, day in enumerate(days[item])
        ]
        shown = [f"u{user},only shown,{DAY + 86_400 * user},impression" for user in range(5)]
        log = home.write("log.csv", "user_id,item_id,timestamp,event_type\n" + "\n".join([*rows, *shown]))
        home.ingest(interactions_file=log, items_file=home.write("items.csv", "item_id,title\ntea,Tea\n"))
        assert self.recommended(home) == {"chosen", "tea"}
        assert "items: 3 are in no items table, and fewer than 3 users chose them" in capsys.readouterr().out

    def test_without_an_items_table_the_items_of_files_are_known(self, home: Any) -> None:
        url = f"sqlite:///{home.root}/log.sqlite"
        log = InteractionLog(url)
        log.record([Interaction("r1", "eve", "made up", "view", DAY * 1_000_000)])
        log.close()
        home.ingest(interactions_file=home.write("log.csv", BASIC), interaction_log=url)
        assert self.recommended(home) == {"milk", "tea"}
        ingest(Sources(), FeedbackOptions(), str(home.warehouse), home.outputs, undescribed_min_users=0)
        assert self.recommended(home) == {"made up", "milk", "tea"}

    def test_an_earlier_table_can_be_ingested_again(self, home: Any) -> None:
        home.ingest(interactions_file=home.write("log.csv", BASIC))
        for title in ("Tea", "Tee", "Tea", "Tea"):
            home.ingest(items_file=home.write("items.csv", f"item_id,title\ntea,{title}\n"))
        assert {row["item_id"]: row["title"] for row in home.rows("items")}["tea"] == "Tea"
        parts = Warehouse(str(home.warehouse)).watermarks.parts
        assert [part.table for part in parts].count("items") == 1

    def test_the_last_row_of_an_item_in_one_table_wins(self, home: Any) -> None:
        home.ingest(
            interactions_file=home.write("log.csv", BASIC),
            items_file=home.write("items.csv", "item_id,title\ntea,First\ntea,Last\n"),
        )
        assert {row["item_id"]: row["title"] for row in home.rows("items")}["tea"] == "Last"

    def test_an_item_without_a_domain_gets_that_of_its_interactions(self, home: Any) -> None:
        home.ingest(
            interactions_file=home.write(
                "log.csv", f"user_id,item_id,timestamp,domain\nann,tea,{DAY},shop\nann,film,{DAY},\n"
            )
        )
        assert {row["item_id"]: row["domain"] for row in home.rows("items")} == {"film": None, "tea": "shop"}

    def test_imported_embeddings_are_lists_of_floats(self, home: Any) -> None:
        vectors = pa.array([[0.5, 1.0], [2.0, 3.0]], pa.list_(pa.float64()))
        home.ingest(
            interactions_file=home.write("log.csv", BASIC),
            items_file=home.write_parquet("items.parquet", {"item_id": ["tea", "milk"], "image": vectors}),
        )
        home.ingest(items_file=home.write("more.csv", 'item_id,image\ncake,"[4, 5.5]"\n'))
        table = home.table("items")
        assert table.schema.field("image").type.value_type == pa.float32()
        assert dict(zip(table["item_id"].to_pylist(), table["image"].to_pylist(), strict=True)) == {
            "cake": [4.0, 5.5], "milk": [2.0, 3.0], "tea": [0.5, 1.0]
        }  # fmt: skip


class TestKilledRun:
    def test_a_part_that_the_manifest_does_not_list_is_ignored(
        self, home: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        home.ingest(interactions_file=home.write("1.csv", BASIC))

        def killed(self: Warehouse) -> None:
            raise KeyboardInterrupt

        more = home.write("2.csv", f"user_id,item_id,timestamp\neve,milk,{DAY}\n")
        with monkeypatch.context() as patch:
            patch.setattr(Warehouse, "commit", killed)
            with pytest.raises(KeyboardInterrupt):
                home.ingest(interactions_file=more)
        parts = sorted(home.warehouse.rglob("*.parquet"))
        assert len(parts) == 2

        home.ingest()
        assert len(home.rows("interactions")) == 3, "the unlisted part was read"
        home.ingest(interactions_file=more)
        assert len(home.rows("interactions")) == 4
        assert sorted(home.warehouse.rglob("*.parquet")) == parts, "the repeat wrote another file"

    def test_an_invalid_source_leaves_the_manifest_unchanged(self, home: Any) -> None:
        home.ingest(interactions_file=home.write("1.csv", BASIC))
        manifest = (home.warehouse / "watermarks.json").read_bytes()
        with pytest.raises(StepError):
            home.ingest(
                interactions_file=home.write("2.csv", f"user_id,item_id,timestamp\neve,milk,{DAY}\n"),
                items_file=home.write("items.csv", "title\nTea\n"),
            )
        assert (home.warehouse / "watermarks.json").read_bytes() == manifest

    def test_a_full_disk_is_an_error_with_advice(self, home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: Any) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(snapshot, "write_interactions", full)
        with pytest.raises(StepError, match="the disk is full: free some space and run again"):
            home.ingest(interactions_file=home.write("1.csv", BASIC))


class TestOneCatalog:
    def test_a_data_set_and_files_together_are_rejected(self, home: Any) -> None:
        with pytest.raises(StepError, match=r"movielens-100k.*your own files.*--home DIRECTORY"):
            home.ingest(dataset="movielens-100k", interactions_file=home.write("log.csv", BASIC))

    def test_a_data_set_is_rejected_in_a_home_of_files(self, home: Any) -> None:
        home.ingest(interactions_file=home.write("log.csv", BASIC))
        with pytest.raises(StepError, match=r"has your own files; the data set movielens-1m.*--home"):
            home.ingest(dataset="movielens-1m")

    def test_a_second_data_set_is_rejected(self, home: Any) -> None:
        store = Warehouse(str(home.warehouse))
        store.watermarks.catalog = "movielens-100k"
        store.commit()
        with pytest.raises(StepError, match=r"data set movielens-100k; the data set movielens-1m.*--home"):
            home.ingest(dataset="movielens-1m")

    def test_an_unknown_data_set_is_an_error_with_the_known_ones(self, home: Any) -> None:
        with pytest.raises(StepError, match=r"'movielens-2m'.*movielens-100k, movielens-1m.*penchant data"):
            home.ingest(dataset="movielens-2m")


def test_a_warehouse_may_be_any_fsspec_url(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(BASIC)
    names = ("interactions.parquet", "items.parquet", "users.parquet", "feedback.json")
    outputs, sources = Outputs(*(tmp_path / name for name in names)), Sources("", str(tmp_path / "log.csv"))
    for _ in range(2):
        ingest(sources, FeedbackOptions(), "memory://bucket/warehouse", outputs)
    stored = [Path(file).name for file in fsspec.filesystem("memory").find("/bucket/warehouse")]
    assert sorted(stored) == ["part-1.parquet", "watermarks.json"]
    assert pq.read_metadata(outputs.interactions).num_rows == 3


def test_the_component_returns_the_time_of_the_snapshot(tmp_path: Path) -> None:
    class Artifact:
        def __init__(self, name: str) -> None:
            self.path = str(tmp_path / name)

    (tmp_path / "it's [1].csv").write_text(BASIC)
    before = datetime.now(UTC).timestamp() * 1_000_000
    as_of = ingest_interactions.python_func(
        "", str(tmp_path / "it's [1].csv"), "", "", "", str(tmp_path / "warehouse"), {}, False, 3, {},
        Artifact("interactions"), Artifact("items"), Artifact("users"), Artifact("feedback"),
    )  # fmt: skip
    assert as_of > before
    assert pq.read_metadata(tmp_path / "interactions").num_rows == 3
