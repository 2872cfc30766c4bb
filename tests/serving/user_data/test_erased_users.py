"""Erased users in the database of the interaction log: no writer that comes late stores anything of them."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from feature_repo.interaction import Interaction
from serving.errors import ErasedUser
from serving.exposures.exposure import Exposure
from serving.exposures.exposure_store import ExposureStore
from serving.exposures.exposure_table import create
from serving.exposures.followed_users import leave_out_stored
from serving.protos.recommender_pb2 import RecommendRequest
from serving.user_data.erasure_store import ErasureStore
from serving.user_data.interaction_log import InteractionLog
from serving.user_data.log_connections import LogConnections
from tests.serving.exposures.exposures import to_row

NOW = 1_700_000_000_000_000


def interaction(user_id: str, number: int = 0) -> Interaction:
    return Interaction(f"{user_id}-{number}", user_id, "tea", "view", NOW + number)


def exposure(user_id: str) -> Exposure:
    return Exposure(f"to-{user_id}", user_id, NOW, 1, "", "trending", "", "", ["tea"], [1.0], [1], [1.0])


@pytest.fixture
def store(database_url: str) -> Iterator[ErasureStore]:
    store = ErasureStore(database_url)
    yield store
    store.close()


def test_the_interactions_of_the_user_are_deleted_and_later_ones_refused(
    store: ErasureStore, database_url: str
) -> None:
    log = InteractionLog(database_url)
    log.record([interaction("ann"), interaction("ann", 1), interaction("bob")])
    log.mark(NOW)  # the users of a snapshot are kept, too
    assert store.erase("ann") == 2
    assert store.erase("ann") == 0
    with pytest.raises(ErasedUser):
        log.record([interaction("bob", 1), interaction("ann", 2)])
    assert log.since("ann", 0) == []
    assert [row.interaction_id for row in log.since("bob", 0)] == ["bob-0"]
    assert store.allow("ann")
    assert log.record([interaction("ann", 3)]) == 1
    log.close()


def test_what_was_shown_to_the_user_is_stored_no_more(store: ErasureStore, database_url: str) -> None:
    exposures = ExposureStore(database_url)
    exposures.append([to_row(exposure("ann"))])
    store.erase("ann")
    assert exposures.delete_user("ann") == 1
    exposures.append([to_row(exposure("ann")), to_row(exposure("bob"))])
    assert exposures.of_request("to-ann") == []
    assert len(exposures.of_request("to-bob")) == 1
    exposures.close()


def test_the_user_is_taken_out_of_the_kept_requests_of_followers(database_url: str) -> None:
    exposures = ExposureStore(database_url)
    for user_id, followed in (("bob", ["ann", "cem", "ann"]), ("cem", ["annabel"])):
        request = RecommendRequest(user_id=user_id, followed_user_ids=followed).SerializeToString()
        exposures.append([to_row(replace(exposure(user_id), request=request))])
    assert exposures.leave_out_followed("ann") == 1
    kept = [
        RecommendRequest.FromString(exposures.of_request(f"to-{user}")[0].request) for user in ("bob", "cem")
    ]
    assert [list(request.followed_user_ids) for request in kept] == [["cem"], ["annabel"]]
    exposures.close()


def test_kept_requests_are_searched_in_short_statements(database_url: str) -> None:
    exposures, database = ExposureStore(database_url), LogConnections(database_url, 5, create)
    assert leave_out_stored(database, "ann") == 0
    request = RecommendRequest(user_id="bob", followed_user_ids=["ann"]).SerializeToString()
    exposures.append([to_row(replace(exposure("bob"), request=request)) for _ in range(5)])
    assert leave_out_stored(database, "ann", scanned=2) == 5
    assert leave_out_stored(database, "ann", scanned=2) == 0
    exposures.close()
    database.close()


def test_a_request_that_names_the_user_is_stored_without(store: ErasureStore, database_url: str) -> None:
    exposures = ExposureStore(database_url)
    store.erase("ann")
    request = RecommendRequest(user_id="bob", followed_user_ids=["ann", "cem"]).SerializeToString()
    exposures.append([to_row(replace(exposure("bob"), request=request))])
    (kept,) = exposures.of_request("to-bob")
    assert RecommendRequest.FromString(kept.request).followed_user_ids == ["cem"]
    exposures.close()


def test_the_version_grows_with_each_change(store: ErasureStore) -> None:
    assert store.version() == 0
    assert not store.erased()
    store.erase("ann")
    assert (store.version(), "ann" in store.erased(), "bob" in store.erased()) == (1, True, False)
    store.erase("ann")
    assert store.version() == 1
    store.allow("ann")
    assert (store.version(), bool(store.erased())) == (2, False)


def test_the_digests_do_not_depend_on_the_id_alone(store: ErasureStore, tmp_path: object) -> None:
    store.erase("ann")
    other = ErasureStore(f"sqlite:///{tmp_path}/other.db")
    other.erase("ann")
    assert store.erased().digests.isdisjoint(other.erased().digests)
    other.close()
