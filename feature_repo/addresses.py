"""Addresses of stores and tables: file paths or URLs."""

from pathlib import Path
from typing import Final

# A Feast registry at such a URL is one file; at any other URL it is a SQL database.
FILE_URLS: Final = ("s3://", "gs://")


def is_file(address: str) -> bool:
    """Return whether an address is a local path rather than a URL."""
    return "://" not in address


def table_path(features: str, name: str) -> str:
    """Return the address of a feature table below the features location."""
    return f"{Path(features).absolute() if is_file(features) else features}/{name}.parquet"
