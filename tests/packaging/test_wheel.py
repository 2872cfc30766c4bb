"""The wheel holds the code and its data files, and no tests."""

import zipfile
from email.parser import BytesParser
from pathlib import Path

import pytest

from tests.packaging.imports import PACKAGES, ROOT

DATA = {".proto", ".toml", ".css", ".html", ".yaml", ".typed", ".pyi"}


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_every_source_and_data_file(names: set[str]) -> None:
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.*")]
    expected = {file.relative_to(ROOT).as_posix() for file in files if file.suffix in {".py", *DATA}}
    assert {Path(name).suffix for name in expected} == {".py", *DATA}
    assert not expected - names


def test_the_wheel_holds_nothing_else(names: set[str]) -> None:
    assert {name.split("/")[0].split("-")[0] for name in names} == {*PACKAGES, "penchant"}


def test_every_package_is_marked_as_typed(names: set[str]) -> None:
    assert {f"{package}/py.typed" for package in PACKAGES} <= names


def test_the_wheel_offers_the_extras(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (file,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        metadata = BytesParser().parsebytes(archive.read(file))
    assert metadata.get_all("Provides-Extra") == ["serving", "training", "s3", "spark", "gpu", "dev"]
