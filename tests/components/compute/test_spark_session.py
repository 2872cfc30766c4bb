"""Without PySpark or Java there is one sentence that says what to install."""

from pathlib import Path

import pytest

from components.compute import spark_session
from components.compute.address import Compute
from components.compute.spark_session import check_installed
from components.errors import StepError


@pytest.fixture(autouse=True)
def nothing_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(spark_session, "find_spec", lambda _: None)


def test_duckdb_needs_neither() -> None:
    check_installed(Compute())


def test_missing_pyspark_names_the_extra() -> None:
    with pytest.raises(
        StepError, match=r"COMPUTE=local\[2\]: PySpark is not installed; .*penchant\[training,spark\]"
    ):
        check_installed(Compute("local[2]"))


def test_missing_java_names_the_debian_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark_session, "find_spec", lambda _: object())
    with pytest.raises(StepError, match=r"no `java` on the PATH; run: apt-get install openjdk-17-jre"):
        check_installed(Compute("local[2]"))
    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    with pytest.raises(StepError, match="no `java` in JAVA_HOME=/nowhere"):
        check_installed(Compute("spark://master:7077"))
    check_installed(Compute("sc://server:15002"))  # Java is on the server
