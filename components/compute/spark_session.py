"""Opens a Spark session: in this process, with a master, or over Spark Connect."""

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Final

from components.compute.address import Compute
from components.errors import StepError

_PROPERTIES: Final = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # Executors and driver are one JVM with local[N]; a part of the histories takes up to 0.5 GB.
    "spark.driver.memory": "4g",
    "spark.driver.maxResultSize": "4g",
    # Feast's paths are s3://…, as fsspec and DuckDB know them; Hadoop's client has another scheme.
    "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
}


def check_installed(compute: Compute) -> None:
    """Raise StepError if Python packages or Java are missing that `compute` needs."""
    if not compute.is_spark:
        return
    if find_spec("pyspark") is None:
        raise StepError(
            f"PENCHANT_COMPUTE={compute.address}: PySpark is not installed; "
            "run: pip install 'penchant[training,spark]'"
        )
    home = os.environ.get("JAVA_HOME")
    if not compute.is_connect and not shutil.which(f"{home}/bin/java" if home else "java"):
        where = f"in JAVA_HOME={home}" if home else "on the PATH"
        raise StepError(
            f"PENCHANT_COMPUTE={compute.address}: Spark needs Java 17 or 21, and there is no `java` {where}; "
            "run: apt-get install openjdk-17-jre-headless"
        )


@contextmanager
def spark_session(compute: Compute) -> Iterator[Any]:
    """Yield a pyspark.sql.SparkSession. One that this process has open already is used, and stays open.

    Raises:
        StepError: PySpark or Java are missing, Spark can't be reached, or it refuses a property.
    """
    check_installed(compute)
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    if existing := SparkSession.getActiveSession():
        yield existing
        return
    try:
        session = _connect(compute) if compute.is_connect else _start(compute)
    except (PySparkException, OSError) as error:
        raise StepError(
            f"PENCHANT_COMPUTE={compute.address}: no Spark there ({str(error).strip().splitlines()[0]}); "
            "check the address, that Spark runs, and PENCHANT_SPARK_PROPERTIES"
        ) from error
    try:
        yield session
    finally:
        session.stop()


def _start(compute: Compute) -> Any:
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(compute.address).appName("penchant")
    for name, value in {
        **_PROPERTIES,
        **_local_properties(compute.address),
        **compute.spark_properties,
    }.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


def _local_properties(address: str) -> Mapping[str, str]:
    """Return what fits one machine: loopback, and no more parts of a shuffle than its cores can use.

    With Spark's 200 parts the feature step takes six times as long on 20,000 interactions.
    """
    if not (match := re.fullmatch(r"local\[(.+)\]", address)):
        return {}
    cores = os.cpu_count() or 1 if match[1] == "*" else int(match[1])
    addresses = dict.fromkeys(("spark.driver.host", "spark.driver.bindAddress"), "127.0.0.1")
    return addresses | {"spark.sql.shuffle.partitions": str(2 * cores)}


def _connect(compute: Compute) -> Any:
    """Connect to a server, whose resources are its own: only properties of the session can be set."""
    from pyspark.sql import SparkSession

    session = SparkSession.builder.remote(compute.address).getOrCreate()
    try:
        for name, value in compute.spark_properties.items():
            session.conf.set(name, value)
    except BaseException:
        session.stop()
        raise
    return session
