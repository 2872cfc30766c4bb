"""Lets a home be moved or copied: MLflow stores absolute artifact locations, which would name the old one."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

# The table and column of each location of artifacts in MLflow's database.
_LOCATIONS: Final = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
)


def relocate_artifacts(database: Path) -> None:
    """Change MLflow's artifact locations to the folder `artifacts` next to the database, where they are not.

    Only locations that experiment_tracking has chosen: <old home>/mlflow/artifacts/<experiment>.
    """
    if not database.exists():
        return
    here = (database.parent.resolve() / "artifacts").as_uri()
    with closing(sqlite3.connect(database)) as connection, connection:
        for old in _former_locations(connection, here):
            for table, column in _LOCATIONS:
                new, prefix = f"? || substr({column}, ?)", f"substr({column}, 1, ?)"
                connection.execute(
                    f"UPDATE {table} SET {column} = {new} WHERE {prefix} = ?",
                    (here, len(old) + 1, len(old) + 1, f"{old}/"),
                )


def _former_locations(connection: sqlite3.Connection, here: str) -> set[str]:
    """Return the URIs of other folders `mlflow/artifacts` that experiments name."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'experiments'").fetchall():
        return set()  # a database that a killed first run left
    experiments = connection.execute("SELECT name, artifact_location FROM experiments").fetchall()
    folders = {
        location.removesuffix(f"/{quote(name)}")
        for name, location in experiments
        if location.startswith("file:") and location.endswith(f"/mlflow/artifacts/{quote(name)}")
    }
    return folders - {here}
