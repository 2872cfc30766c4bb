"""What PENCHANT_COMPUTE and PENCHANT_SPARK_PROPERTIES may be."""

import pytest

from components.compute.address import Compute, check_address, check_properties


@pytest.mark.parametrize(
    ("address", "is_spark", "is_cluster"),
    [
        ("duckdb", False, False),
        ("local[2]", True, False),
        ("local[*]", True, False),
        ("spark://master.spark.svc:7077", True, True),
        ("spark://a:7077,b:7077", True, True),
        ("sc://spark-connect:15002", True, True),
        ("sc://spark-connect:15002/;use_ssl=true", True, True),
    ],
)
def test_an_address_says_where_the_expressions_run(address: str, is_spark: bool, is_cluster: bool) -> None:
    compute = Compute(check_address(address))
    assert (compute.is_spark, compute.is_cluster) == (is_spark, is_cluster)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "spark",
        "DuckDB",
        "local",
        "local[0]",
        "local[2] ",
        "spark://master",
        "sc://h:1/;token=abc",
        "yarn",
    ],
)
def test_another_address_is_refused_with_what_is_allowed(address: str) -> None:
    with pytest.raises(
        ValueError, match=r"expected duckdb, local\[N\] .* spark://host:port .* sc://host:port"
    ):
        check_address(address)


def test_a_property_has_the_name_of_one_and_is_no_secret() -> None:
    properties = {"spark.executor.memory": "8g", "spark.sql.shuffle.partitions": "64"}
    assert check_properties(properties) == properties
    with pytest.raises(ValueError, match=r"'executor\.memory': expected the name of a Spark property"):
        check_properties({"executor.memory": "8g"})
    for name in ("spark.hadoop.fs.s3a.secret.key", "spark.master", "spark.ssl.keyPassword"):
        with pytest.raises(ValueError, match="is not set here"):
            check_properties({name: "x"})
