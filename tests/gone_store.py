"""An fsspec file system, gone://, whose object store gives no answer."""

from pathlib import Path
from typing import Any, NoReturn

from fsspec import AbstractFileSystem


class NoEndpoint(Exception):
    """As botocore's EndpointConnectionError, which is no OSError."""


class GoneStore(AbstractFileSystem):
    protocol = "gone"
    cachable = False

    def _fail(self, *_: Any, **__: Any) -> NoReturn:
        raise NoEndpoint("Could not connect to the endpoint URL")

    ls = info = exists = makedirs = mkdir = open = rm = rm_file = mv = cp_file = put = get = find = glob = (
        _fail
    )


def install(folder: Path) -> str:
    """Make gone:// known to processes that have the returned PYTHONPATH, as a package would."""
    about = folder / "gone_store-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: gone-store\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[fsspec.specs]\ngone = tests.gone_store:GoneStore\n")
    return f"{folder}:{Path(__file__).parents[1]}"
