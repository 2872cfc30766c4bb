"""Addresses as settings give them: a file's path, or a URL."""

from typing import Final

# A Feast registry at these URLs is one file; at any other URL it is a database.
FILE_URLS: Final = ("s3://", "gs://")


def is_file(address: str) -> bool:
    """Whether an address is a local file rather than a URL."""
    return "://" not in address
