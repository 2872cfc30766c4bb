"""Which versions learned from a user who was erased since: tainted.json in the release store.

{"7": [1, 2]}   version 7 learned from the persons of the receipts 1 and 2
"""

import json
from collections.abc import Iterable
from typing import Final

from feature_repo.atomic_files import atomic_upload
from serving.release.published_versions import PublishedVersions

_FILE: Final = "tainted.json"


def tainted_versions(store: PublishedVersions) -> dict[int, list[int]]:
    """Return version -> numbers of the receipts."""
    try:
        with store.reached(), store.filesystem.open(f"{store.root}/{_FILE}", "rb") as file:
            content = json.load(file)
    except FileNotFoundError:
        return {}
    return {int(version): receipts for version, receipts in content.items()}


def taint(store: PublishedVersions, versions: Iterable[int], receipt: int) -> None:
    """Mark versions as tainted by the person of a receipt."""
    tainted = tainted_versions(store)
    for version in versions:
        tainted[version] = sorted({*tainted.get(version, []), receipt})
    with store.reached(), atomic_upload(store.filesystem, f"{store.root}/{_FILE}") as file:
        file.write(json.dumps(tainted).encode())
