"""An interaction log takes one pseudonym key, or none, and refuses any other."""

import pytest
import sqlalchemy as sa

from feature_repo.interaction import Interaction
from feature_repo.pseudonyms import WrongPseudonymKey
from serving.user_data.interaction_log import InteractionLog

ANN = Interaction("1", "ann", "tea", "view", 1_700_000_000_000_000)


def opened(url: str, key_check: str | None) -> InteractionLog:
    log = InteractionLog(url, key_check=key_check)
    try:
        log.open()
    finally:
        log.close()
    return log


def test_an_empty_log_takes_the_first_key_and_refuses_others(database_url: str) -> None:
    opened(database_url, None)
    opened(database_url, "one")
    opened(database_url, "one")
    with pytest.raises(WrongPseudonymKey, match="made with another key: set that one in PENCHANT_PSEUDONYM"):
        opened(database_url, "two")
    with pytest.raises(WrongPseudonymKey, match="holds pseudonyms of user ids: set the key"):
        opened(database_url, "")
    opened(database_url, None)  # a reader, which takes the ids as they are


def test_a_log_of_an_earlier_version_holds_ids_and_refuses_a_key(database_url: str) -> None:
    log = opened(database_url, None)
    log.record([ANN])
    log.close()
    engine = sa.create_engine(database_url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE interactions_pseudonym_key")
    engine.dispose()
    with pytest.raises(WrongPseudonymKey, match=r"made without a pseudonym key: unset PENCHANT_PSEUDONYM"):
        opened(database_url, "one")
    opened(database_url, "")


def test_every_method_of_a_log_with_another_key_fails(database_url: str) -> None:
    opened(database_url, "one")
    log = InteractionLog(database_url, key_check="two")
    with pytest.raises(WrongPseudonymKey):
        log.record([ANN])
    with pytest.raises(WrongPseudonymKey):
        log.since("ann", 0)
    log.close()
