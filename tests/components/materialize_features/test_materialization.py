"""Materializing: the newest features reach the online store, and errors say what to do."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from components.errors import StepError
from components.materialize_features.materialization import materialize
from serving.online_store.online_features import OnlineFeatures
from tests.feature_repo.planted import START, Warehouse, build_warehouse, interaction

AS_OF = START + 1_000
PLANTED = [interaction(user, f"i{at}", at) for user in ("ann", "bob") for at in (10, 20, 30, 40)]


def run(warehouse: Warehouse) -> OnlineFeatures:
    materialize(warehouse.addresses, warehouse.as_of)
    return OnlineFeatures(warehouse.addresses)


def test_the_newest_history_is_online_and_a_second_run_changes_nothing(tmp_path: Path) -> None:
    warehouse = build_warehouse(tmp_path, PLANTED, AS_OF)
    once = run(warehouse).user("ann")
    assert once is not None
    assert (once.history.item_ids, once.as_of) == (["i10", "i20", "i30", "i40"], AS_OF)
    assert run(warehouse).user("ann") == once


def test_the_next_snapshot_replaces_the_last_one(tmp_path: Path) -> None:
    run(build_warehouse(tmp_path, PLANTED, AS_OF))
    newer = [*PLANTED, interaction("ann", "new", 1_500)]
    user = run(build_warehouse(tmp_path, newer, AS_OF + 1_000)).user("ann")
    assert user is not None
    assert (user.history.item_ids[-1], user.as_of) == ("new", AS_OF + 1_000)


def test_features_with_another_as_of_are_rejected(tmp_path: Path) -> None:
    warehouse = build_warehouse(tmp_path, PLANTED, AS_OF)
    with pytest.raises(StepError, match=f"expected histories as of {AS_OF + 1}.*run build_features"):
        materialize(warehouse.addresses, AS_OF + 1)


def test_a_user_that_cannot_be_read_back_fails_the_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = build_warehouse(tmp_path, PLANTED, AS_OF)
    monkeypatch.setattr(OnlineFeatures, "user", lambda *_: None)
    with pytest.raises(StepError, match=f"expected user bob as of {AS_OF}, read nothing"):
        run(warehouse)


def test_a_reader_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    warehouse = build_warehouse(tmp_path, PLANTED, AS_OF)
    online = run(warehouse)
    with closing(sqlite3.connect(warehouse.online_store)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        assert online.user("ann") is not None
        writer.rollback()
