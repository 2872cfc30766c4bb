"""What the online store had at an earlier snapshot is read again, for users with recorded answers alone."""

from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pyarrow as pa
import pytest

from components.materialize_features import materialization
from components.materialize_features.materialization import materialize
from components.materialize_features.online_states import materialize_interests
from components.materialize_features.past_snapshots import thin_out
from serving.online_store.online_features import OnlineFeatures, UserFeatures
from serving.online_store.past_features import PastFeatures
from tests.components.evaluate_online.shown_world import write_log
from tests.components.materialize_features.test_online_writer import compute
from tests.feature_repo.planted import START, Warehouse, build_warehouse, interaction, search
from tests.serving.exposures.exposures import exposure

TIMES = (START + 1_000, START + 2_000, START + 3_000)
USERS = pa.table({"user_id": ["ann", "bob", "new"], "sex": ["f", "m", None], "age": [30, 40, None]})


def built(root: Path, as_of: int) -> Warehouse:
    """Build features as of a time; one item of bob is new in each snapshot."""
    planted = [interaction(user, f"i{at}", at) for user in ("ann", "bob") for at in (10, 20, 30)]
    planted += [
        interaction("bob", f"n{at}", at, value=float("nan")) for at in range(900, as_of - START, 1_000)
    ]
    if as_of < TIMES[2]:  # withdrawn before the last snapshot
        planted += [interaction("gone", f"i{at}", at) for at in (10, 20, 30)]
    return build_warehouse(root, [*planted, search("ann", "green tea", 40)], as_of, users=USERS)


def state(features: UserFeatures) -> list[object]:
    kept = features.interest_state
    return [kept.release, kept.as_of, kept.state.tolist(), kept.interest.tolist()] if kept else []


def test_a_failed_run_costs_no_answers_of_the_snapshot_online(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # bob gets an answer from the first snapshot after the run of the second has failed
    answers = [exposure("r", "bob", timestamp=TIMES[2] + 1, snapshot=TIMES[0])]
    log = write_log(tmp_path, answers, [])
    materialize(built(tmp_path, TIMES[0]).addresses, TIMES[0], interaction_log=log)
    addresses = built(tmp_path, TIMES[1]).addresses
    with monkeypatch.context() as failing:
        failing.setattr(materialization, "write_view", Mock(side_effect=OSError("down")))
        with pytest.raises(OSError, match="down"):
            materialize(addresses, TIMES[1], interaction_log=log)
    warehouse = built(tmp_path, TIMES[2])
    materialize(warehouse.addresses, TIMES[2], interaction_log=log)
    assert PastFeatures(warehouse.features, TIMES[0], 1).read("bob", None)[1] is not None


def test_an_earlier_snapshot_has_what_the_online_store_had(tmp_path: Path) -> None:
    answers = [exposure("r", "bob", timestamp=TIMES[0] + 5, snapshot=TIMES[0])]
    log = write_log(tmp_path, answers, [])
    served: dict[int, dict[str, UserFeatures | None]] = {}
    for as_of in TIMES:
        warehouse = built(tmp_path, as_of)
        materialize(warehouse.addresses, as_of, interaction_log=log)
        for release in (1, 2):
            materialize_interests(release, compute, warehouse.addresses)
        online = OnlineFeatures(warehouse.addresses)
        served[as_of] = {user: online.user(user) for user in ("ann", "bob", "new")}
    features = warehouse.features
    for as_of in TIMES[1:]:
        for user, expected in served[as_of].items():
            assert expected is not None
            _, found = PastFeatures(features, as_of, 2).read(user, None)
            assert found is not None
            np.testing.assert_array_equal(found.history.values, expected.history.values)
            for name in ("interaction_ids", "item_ids", "event_types", "timestamps"):
                assert list(getattr(found.history, name)) == list(getattr(expected.history, name))
            assert (found.profile, found.as_of) == (expected.profile, expected.as_of)
            assert list(found.searches.queries) == list(expected.searches.queries)
            assert list(found.seen_before) == list(expected.seen_before)
            assert state(found) == state(expected)
            assert bool(state(found)) == (user != "new")
    assert PastFeatures(features, TIMES[1], 1).read("gone", None)[1] is None
    first = PastFeatures(features, TIMES[0], 1)
    assert first.read("bob", None)[1] is not None
    assert first.read("ann", None) == (TIMES[0], None)  # no answer to ann is based on it
    assert PastFeatures(features, TIMES[0], 3).read("bob", None)[1].interest_state is None  # type: ignore[union-attr]

    thin_out(features, lambda snapshot, until: set())  # all exposures were deleted
    assert [first.read(user, None)[1] for user in ("ann", "bob")] == [None, None]
    assert PastFeatures(features, TIMES[1], 1).read("ann", None)[1] is not None
