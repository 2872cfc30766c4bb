"""The slices of the histories have the rows of the chosen users, however the file is grouped."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.compute.address import IN_PROCESS, Compute
from components.fetch_training_set.history_slices import open_slices
from feature_repo.store_addresses import FeatureStoreAddresses
from tests.feature_repo.planted import START, Warehouse, build_warehouse, interaction

# The ids have one prefix of more than 8 bytes: DuckDB compares no more of the range of a row group.
USERS = [f"customer-{number:03}" for number in range(6)]
PLANTED = [interaction(user, f"i{at}", at) for user in USERS for at in (10, 20, 30)]


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    return build_warehouse(tmp_path_factory.mktemp("slices"), PLANTED, START + 1_000)


def selected(addresses: FeatureStoreAddresses, users: list[str], compute: Compute = IN_PROCESS) -> pa.Table:
    with open_slices(addresses, compute) as select:
        select(pa.chunked_array([["customer-005"]]))  # another slice before replaces nothing
        store = select(pa.chunked_array([users]))
        return pq.read_table(store.get_feature_view("user_history").batch_source.path)


@pytest.mark.parametrize("rows_per_group", [1, 7, 10_000])
@pytest.mark.parametrize("statistics", [True, False])
def test_a_slice_has_all_rows_of_its_users_in_order(
    warehouse: Warehouse, rows_per_group: int, statistics: bool
) -> None:
    file = Path(warehouse.features, "user_history.parquet")
    histories = pq.read_table(file)
    pq.write_table(histories, file, row_group_size=rows_per_group, write_statistics=statistics)
    rows = selected(warehouse.addresses, [USERS[3], USERS[1]])
    expected = histories.filter(pa.array([user in USERS[1:4] for user in histories["user_id"].to_pylist()]))
    assert expected.num_rows
    assert rows == expected


def test_a_cluster_gets_the_table_of_the_warehouse(warehouse: Warehouse) -> None:
    rows = selected(warehouse.addresses, USERS[:1], Compute("sc://host"))
    assert rows == pq.read_table(Path(warehouse.features, "user_history.parquet"))
