"""The ids of a log and of its exposures get the next pseudonym key, on SQLite and PostgreSQL."""

import pytest

from feature_repo.interaction import Interaction
from feature_repo.pseudonyms import Pseudonyms, WrongPseudonymKey
from serving.exposures import key_rotation
from serving.exposures.exposure_store import ExposureStore
from serving.exposures.key_rotation import ids_to_rekey, rekey
from serving.protos.recommender_pb2 import RecommendRequest
from serving.user_data.interaction_log import InteractionLog
from tests.serving.exposures.exposures import exposure, to_row

OLD, NEW = Pseudonyms(b"1" * 32), Pseudonyms(b"1" * 32, b"2" * 32)
ANN, BEN = OLD.of("ann"), OLD.of("ben")
NOW_US = 1_790_000_000_000_000


def fill(url: str, key_check: str | None) -> None:
    log = InteractionLog(url, key_check=key_check)
    log.record([Interaction("1", ANN, "tea", "view", NOW_US)])
    log.close()
    store = ExposureStore(url)
    for number in range(3):
        request = RecommendRequest(user_id=ANN, followed_user_ids=[BEN]).SerializeToString()
        store.append([to_row(exposure(f"q{number}", ANN, timestamp=NOW_US, request=request))])
    store.append([to_row(exposure("q3", BEN, timestamp=NOW_US))])
    store.close()


def test_all_ids_get_the_new_key_once(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_rotation, "SCANNED", 2)
    fill(database_url, OLD.check)
    assert ids_to_rekey(database_url, OLD, NEW) == {ANN, BEN}
    for _ in range(2):
        rekey(database_url, OLD, NEW)
    assert ids_to_rekey(database_url, OLD, NEW) is None
    log = InteractionLog(database_url, key_check=NEW.check)
    assert len(log.since(NEW.of("ann"), 0)) == 1
    log.close()
    store = ExposureStore(database_url)
    for number in range(3):
        (shown,) = store.of_request(f"q{number}")
        request = RecommendRequest.FromString(shown.request)
        assert {shown.user_id, request.user_id} == {NEW.of("ann")}
        assert request.followed_user_ids == [NEW.of("ben")]
    assert [shown.user_id for shown in store.of_request("q3")] == [NEW.of("ben")]
    store.close()


def test_a_log_with_another_key_or_with_ids_stays_as_it_is(database_url: str) -> None:
    fill(database_url, None)  # as of an earlier version, which kept no check value
    for change in (ids_to_rekey, rekey):
        with pytest.raises(WrongPseudonymKey, match="holds user ids"):
            change(database_url, OLD, NEW)
    log = InteractionLog(database_url, key_check="")
    assert len(log.since(ANN, 0)) == 1
    log.close()
    with pytest.raises(WrongPseudonymKey, match="holds user ids"):
        rekey(database_url, OLD, NEW)
