"""Feature names read from the registry equal those that the Feast SDK reads."""

from dataclasses import replace
from pathlib import Path

import pytest

from feature_repo.contract import USER_HISTORY, USER_INTEREST_STATE, USER_PROFILE
from feature_repo.store import connect_store, open_store
from feature_repo.store_addresses import FeatureStoreAddresses
from serving.online_store.feast_registry import read_features
from tests.feature_repo.planted import START, build_warehouse, interaction

VIEWS = (USER_HISTORY, USER_PROFILE, USER_INTEREST_STATE)


@pytest.fixture(params=["file", "SQL"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"{tmp_path}/registry.db" if request.param == "file" else f"sqlite:///{tmp_path}/registry.sqlite"


def test_features_equal_those_of_the_feast_sdk(tmp_path: Path, registry: str) -> None:
    planted = [interaction(user, f"i{at}", at) for user in ("ann", "bob") for at in (1, 2, 3)]
    warehouse = build_warehouse(tmp_path, planted, START + 10)
    store = open_store(replace(warehouse.addresses, registry=registry))
    expected = {name: [field.name for field in store.get_feature_view(name).features] for name in VIEWS}
    assert read_features(registry, VIEWS) == expected
    assert "item_ids" in expected[USER_HISTORY]


def test_a_missing_view_is_an_error_with_its_name(tmp_path: Path, registry: str) -> None:
    connect_store(FeatureStoreAddresses("", registry, str(tmp_path / "online.db"))).list_entities()
    with pytest.raises(LookupError, match="no view user_history"):
        read_features(registry, VIEWS)
