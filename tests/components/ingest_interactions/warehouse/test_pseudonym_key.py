"""A warehouse with pseudonyms: its key, and the conditions of retractions."""

from typing import Any

import pytest

from components.errors import StepError
from components.ingest_interactions.warehouse.retracted_rows import with_pseudonyms
from components.ingest_interactions.warehouse.retraction import check_key, retract
from feature_repo.pseudonyms import Pseudonyms

KEY, OTHER = Pseudonyms(b"k" * 32), Pseudonyms(b"o" * 32)
ROWS = "user_id,item_id,timestamp\nann,tea,1700000000\nbob,tea,1700000001\n"


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (KEY, None, "holds pseudonyms of user ids: set the key that it was made with in"),
        (None, KEY, "holds user ids, because it was made without a pseudonym key: unset"),
        (KEY, OTHER, "holds pseudonyms that were made with another key: set that one in"),
    ],
)
def test_a_warehouse_refuses_another_key(
    first: Pseudonyms | None, second: Pseudonyms | None, message: str, home: Any
) -> None:
    home.ingest(interactions_file=home.write("log.csv", ROWS), pseudonyms=first)
    home.ingest(pseudonyms=first)
    with pytest.raises(StepError, match=message):
        home.ingest(pseudonyms=second)
    with pytest.raises(StepError, match=message):
        check_key(str(home.warehouse), second)


def test_a_retraction_finds_and_keeps_the_pseudonym(home: Any) -> None:
    home.ingest(interactions_file=home.write("log.csv", ROWS), pseudonyms=KEY)
    conditions = with_pseudonyms(["user_id=ann", "item_id=tea", "user_id!="], KEY)
    assert conditions == [f"user_id={KEY.of('ann')}", "item_id=tea", "user_id!="]
    assert retract(str(home.warehouse), "", conditions).rows == 1
    home.ingest(pseudonyms=KEY)
    assert [row["user_id"] for row in home.rows("interactions")] == [KEY.of("bob")]
    assert b"ann" not in (home.warehouse / "watermarks.json").read_bytes()
