"""Addresses of the feature store: file paths or URLs."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

# A Feast registry at such a URL is one file; at any other URL it is a SQL database.
FILE_URLS: Final = ("s3://", "gs://")


@dataclass(frozen=True, slots=True)
class FeatureStoreAddresses:
    """The addresses that open one Feast feature store."""

    features: str  # directory or fsspec URL of the feature tables, as build_features returns it
    registry: str  # file path, s3:// or gs:// URL of a file, or SQLAlchemy URL
    online_store: str  # SQLite file path, or redis://[[user]:password@]host:port[/db]; rediss:// for TLS


def is_file(address: str) -> bool:
    """Return whether an address is a local path rather than a URL."""
    return "://" not in address


def sqlite_url(file: str | Path) -> str:
    """Return SQLAlchemy's URL of a SQLite file; `?` and `%` in the path are part of it."""
    return f"sqlite:///{quote(str(Path(file).absolute()))}"


def without_password(address: str) -> str:
    """Return an address to show in a message, with *** instead of the password of a URL."""
    return re.sub(r"(?<=://)([^:/@]*):.*@", r"\1:***@", address)


def table_path(features: str, name: str) -> str:
    """Return the address of a feature table below the features location."""
    return f"{Path(features).absolute() if is_file(features) else features}/{name}.parquet"


def past_features(features: str, snapshot: str | int) -> str:
    """Return the features location of an earlier snapshot, named by its as_of (µs since the epoch)."""
    return f"{Path(features).absolute() if is_file(features) else features}/past/{snapshot}"


def interest_states_of(release: int) -> str:
    """Return the name of the kept table of a snapshot's interest states under one release."""
    return f"user_interest_state-{release}"
