"""Every feature expression compiles for Spark; these tests don't run Spark."""

import ibis
import pyarrow as pa
import pytest
from ibis.config import Config

from components.build_features import disliked_before
from components.build_features.histories import build_histories
from components.build_features.labelled_users import in_order
from components.build_features.user_profile import build_user_profile
from feature_repo.table_schemas import INTERACTIONS

# A Parquet reader returns every column as nullable.
INTERACTION_TABLE = ibis.table(
    ibis.Schema.from_pyarrow(pa.schema([(field.name, field.type) for field in INTERACTIONS])),
    name="interactions",
)
USER_TABLE = ibis.table({"user_id": "string", "age": "int64", "plan": "string"}, name="users")
DISLIKED_TABLE = ibis.table(ibis.Schema.from_pyarrow(disliked_before.SCHEMA), name="disliked_before")
CUTOFFS = ibis.table({"user_id": "string", "cutoff": "timestamp('UTC', 6)"}, name="cutoffs")


class SparkOptions(Config):
    """The options that ibis.pyspark registers when it is installed."""

    treat_nan_as_null: bool = False


@pytest.fixture(autouse=True)
def spark_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ibis.options, "pyspark", SparkOptions())


@pytest.mark.parametrize(
    "table",
    [
        build_histories(INTERACTION_TABLE, CUTOFFS),
        build_user_profile(INTERACTION_TABLE, INTERACTION_TABLE, USER_TABLE, DISLIKED_TABLE),
        in_order(INTERACTION_TABLE),
    ],
    ids=["histories", "user_profile", "in_order"],
)
def test_the_expression_compiles_for_spark(table: ibis.Table) -> None:
    assert "SELECT" in ibis.to_sql(table, dialect="pyspark")
