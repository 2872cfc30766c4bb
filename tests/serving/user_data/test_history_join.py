"""The join of a snapshot and a delta while a late thread still writes one of them."""

from collections.abc import Iterator

from feature_repo.histories import History
from feature_repo.interaction import Interaction
from serving.user_data.history_join import HistoryParts, VersionedSnapshot
from tests.serving.service import FakeSnapshot


def view(item: str, timestamp: int) -> Interaction:
    return Interaction(f"id-{item}", "u", item, "view", timestamp)


def test_a_snapshot_that_arrives_while_the_parts_are_joined_is_left_out_and_reported() -> None:
    class Delta(list[Interaction]):
        def __iter__(self) -> Iterator[Interaction]:
            parts.snapshot = VersionedSnapshot("v", FakeSnapshot(History().extend([view("a", 1)])))
            return super().__iter__()

    parts = HistoryParts("u", cached=None)
    parts.delta = Delta([view("c", 3)])
    user = parts.join().user
    assert user.history.item_ids == ["c"]
    assert [(each.stage, each.fallback) for each in user.degraded] == [("history", "interaction_log")]
