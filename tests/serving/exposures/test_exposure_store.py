"""The store of exposures on SQLite and PostgreSQL."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from serving.exposures.exposure_store import ExposureStore
from serving.exposures.exposure_table import COLUMNS, EXPOSURES, create
from tests.serving.exposures.exposures import exposure, rows, to_row


@pytest.fixture
def store(database_url: str) -> Iterator[ExposureStore]:
    store = ExposureStore(database_url)
    yield store
    store.close()


def test_exposures_are_read_as_they_were_stored(store: ExposureStore) -> None:
    whole = exposure(
        "r1",
        "émile 🎬",
        ["a", "b c"],
        1_700_000_000_000_001,
        release_version=7,
        scenario="email",
        basis="profile",
        degraded="history,interest",
        candidates="00ff",
        scores=[0.5, -2.25],
        sources=[3, 1024],
        propensities=[0.1, 1.0],
        request=b"\x00\xff",
        latency_us=1_234,
        experiment="e",
        arm="new",
        credits=(-1.0, 0.0),
    )
    empty = exposure("r2", items=[])
    store.append(rows([whole, empty]))
    assert store.of_request("r1") == [whole]
    assert store.of_request("r2") == [empty]
    assert store.of_request("r3") == []


def test_batches_of_all_sizes_are_stored_whole_with_few_statements(
    store: ExposureStore, inserts: set[str]
) -> None:
    for size in range(600, 0, -7):
        store.append(rows([exposure(f"{size}-{number}", f"user-{size}") for number in range(size)]))
        assert len(store.of_user(f"user-{size}")) == size
    assert len(inserts) < 10


def test_a_table_of_an_earlier_version_gets_the_columns_of_experiments(database_url: str) -> None:
    engine = sa.create_engine(database_url)
    create(engine)
    later = ("latency_us", "experiment", "arm", "credits")
    with engine.begin() as connection:
        for name in later:
            connection.exec_driver_sql(f"ALTER TABLE exposures DROP COLUMN {name}")
        names = [column.name for column in COLUMNS if column.name not in later]
        row = dict(zip([column.name for column in COLUMNS], to_row(exposure("old")), strict=True))
        connection.execute(sa.insert(EXPOSURES).values({name: row[name] for name in names}))
    engine.dispose()
    store = ExposureStore(database_url)
    store.append(rows([exposure("new", arm="a", latency_us=9)]))
    assert store.of_request("old") == [exposure("old")]
    assert store.of_request("new") == [exposure("new", arm="a", latency_us=9)]
    store.close()


def test_shown_counts_the_answers_with_an_item_but_a_repeated_request_once(store: ExposureStore) -> None:
    store.append(rows([exposure("r1", timestamp=5), exposure("r1", timestamp=6, items=["b", "c"])]))
    store.append(rows([exposure("r2", timestamp=7, items=["b"]), exposure("r3", "v", timestamp=8)]))
    assert store.shown("u", 0, "") == {"a": 1, "b": 2, "c": 1}
    assert store.shown("u", 0, "r1") == {"b": 1}
    assert store.shown("u", 6, "") == {"b": 1}


def test_between_yields_a_window_in_batches_in_the_order_of_time(store: ExposureStore) -> None:
    times = [4, 2, 3, 3, 3, 1, 5]
    store.append(rows([exposure(f"r{number}", timestamp=time) for number, time in enumerate(times)]))
    batches = list(store.between(2, 5, batch_size=2))
    assert [[each.timestamp for each in batch] for batch in batches] == [[2, 3], [3, 3], [4]]
    assert [each.request_id for batch in batches for each in batch] == ["r1", "r2", "r3", "r4", "r0"]


def test_exposures_are_deleted_by_age_and_by_user(store: ExposureStore) -> None:
    store.append(rows([exposure(f"r{time}", "u" if time % 2 else "v", timestamp=time) for time in range(6)]))
    assert store.delete_before(3, limit=2) == 2
    assert store.delete_before(3) == 1
    assert store.delete_user("u", 2, 5) == 1
    assert [each.request_id for batch in store.between(0, 9) for each in batch] == ["r4", "r5"]


def test_the_users_of_a_snapshot_have_answers_that_are_based_on_it(store: ExposureStore) -> None:
    shown = [("ann", 10, 12), ("bob", 20, 22), ("", 10, 13), ("eve", 10, 30), ("cem", 10, 29)]
    store.append(rows(exposure("r", user, timestamp=at, snapshot=snapshot) for user, snapshot, at in shown))
    assert store.users_of(10, until=30) == {"ann", "cem"}
    assert store.users_of(20, until=30) == {"bob"}


def test_more_rows_than_one_statement_holds_are_stored_in_order(store: ExposureStore) -> None:
    names = [f"r{number}" for number in range(1_203)]
    store.append(rows(exposure(name, timestamp=1) for name in names))
    assert [each.request_id for batch in store.between(0, 2) for each in batch] == names
