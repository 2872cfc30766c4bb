"""Features of an earlier snapshot are the same, whether users are read together or one by one."""

from dataclasses import asdict
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_repo.contract import (
    DISLIKED_BEFORE,
    SEARCH_TIMES,
    SEARCHES,
    SEEN_BEFORE,
    USER_HISTORY,
    USER_PROFILE,
)
from feature_repo.filesystems import open_binary
from feature_repo.store_addresses import interest_states_of, past_features, table_path
from serving.online_store import past_features as module
from serving.online_store.online_features import UserFeatures
from serving.online_store.past_features import PastFeatures

SNAPSHOT, RELEASE = 1_700_000_000_000_000, 3
USERS = [f"u{number:02}" for number in range(40)]
# Not all users are in all tables; é sorts behind all ASCII letters, in Python and in Parquet.
IN_HISTORY, IN_PROFILE, IN_STATES = [*USERS[:30], "é"], [*USERS[5:35], "é"], [*USERS[10:20], "é"]


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Tables of several row groups in the order of the users, as past_snapshots writes them."""
    location = str(tmp_path_factory.mktemp("features"))
    past = past_features(location, SNAPSHOT)
    Path(past).mkdir(parents=True)
    tables = {
        USER_HISTORY: pa.Table.from_pylist([history(number, u) for number, u in enumerate(IN_HISTORY)]),
        USER_PROFILE: pa.Table.from_pylist([profile(number, u) for number, u in enumerate(IN_PROFILE)]),
        interest_states_of(RELEASE): pa.Table.from_pylist(
            [
                {"user_id": u, "state": [0.1, number], "interest": [number / 3], "as_of": number}
                for number, u in enumerate(IN_STATES)
            ]
        ),
    }
    for name, table in tables.items():
        pq.write_table(table, table_path(past, name), row_group_size=7)
    return location


def history(number: int, user: str) -> dict[str, object]:
    steps = range(number % 4)
    return {
        "user_id": user,
        "event_timestamp": SNAPSHOT,
        "interaction_ids": [f"{user}-{step}" for step in steps],
        "item_ids": [f"i{number + step}" for step in steps],
        "event_types": ["view" for _ in steps],
        "values": [float("nan") if step else number / 7 for step in steps],
        "timestamps": [number * 100 + step for step in steps],
    }


def profile(number: int, user: str) -> dict[str, object]:
    return {
        "user_id": user,
        "created": SNAPSHOT,
        "age": None if number % 3 else float(number),
        SEEN_BEFORE: [f"old{number}"],
        DISLIKED_BEFORE: None if number % 2 else [f"bad{number}"],
        SEARCHES: ["green tea"] * (number % 2),
        SEARCH_TIMES: [number] * (number % 2),
    }


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses of the tables that are opened."""
    addresses: list[str] = []

    def noted(address: str) -> IO[bytes]:
        addresses.append(address)
        return open_binary(address)

    monkeypatch.setattr(f"{module.__name__}.open_binary", noted)
    return addresses


def read(features: PastFeatures, user: str) -> str:
    version, found = features.read(user, None)
    assert version == SNAPSHOT
    return repr(asdict(found)) if isinstance(found, UserFeatures) else "none"


def test_users_who_are_read_together_have_the_same_features(features: str, opened: list[str]) -> None:
    everyone = [*USERS, "é", "", "nobody"]
    one_by_one = PastFeatures(features, SNAPSHOT, RELEASE)
    expected = [read(one_by_one, user) for user in everyone]
    assert expected.count("none") == len(everyone) - 26  # 25 users and é have both history and profile
    assert sum("InterestState" in each or "'interest_state': {" in each for each in expected) == 11
    opened.clear()
    together = PastFeatures(features, SNAPSHOT, RELEASE, everyone)
    assert [read(together, user) for user in everyone] == expected
    assert len(opened) == 3  # the tables
    opened.clear()
    few = PastFeatures(features, SNAPSHOT, RELEASE, USERS[8:12])
    assert [read(few, user) for user in everyone] == expected  # the others one by one


def test_a_snapshot_that_is_not_kept_is_looked_for_once(features: str, opened: list[str]) -> None:
    none = PastFeatures(features, SNAPSHOT + 1, RELEASE, USERS)
    assert {none.read(user, None) for user in USERS} == {(SNAPSHOT + 1, None)}
    assert len(opened) == 2
