"""Switches the live version by replacing one small file, which also says who did it, when and why.

live.json             {"version": 7, "previous": 6, "pinned": false, "since": …, "switch": {…}}
switches/<id>.json    a switch that was replaced by the next one; stays until the review history has it

The switch and its reason are one write, so a killed process or an unreachable registry loses no record:
`unrecorded` returns what the review history may lack, and switch_records writes it.
"""

import json
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from feature_repo.atomic_files import atomic_upload
from feature_repo.contract import LIVE
from serving.errors import ReleaseError
from serving.release.published_versions import PublishedVersions

FOLDER: Final = "switches"


@dataclass(frozen=True)
class Switch:
    """A change of the live version.

    Attributes:
        what: the act of the review history.
        before: the version that was live; None for none.
        at: ISO 8601, UTC.
    """

    id: str
    what: Literal["pushed", "rolled back"]
    version: int
    before: int | None
    by: str
    reason: str
    at: str


def switch(
    store: PublishedVersions,
    version: int,
    what: Literal["pushed", "rolled back"],
    by: str,
    reason: str = "",
    pinned: bool = False,
) -> Switch:
    """Make `version` live, atomically.

    Args:
        pinned: whether only a person may replace it.
    """
    try:
        record = store.live_record()
    except ReleaseError:  # it is damaged, and what it said is lost
        record = {}
    if former := _switch_of(record):
        _write(store, f"{FOLDER}/{former.id}.json", json.dumps(asdict(former)))
    live, at = record.get("version"), datetime.now(UTC).isoformat(timespec="microseconds")
    new = Switch(uuid.uuid4().hex, what, version, live, by, reason, at)
    content = {
        "version": version,
        "previous": live if live != version else record.get("previous"),
        "pinned": pinned,
        "since": at,
        "switch": asdict(new),
    }
    _write(store, LIVE, json.dumps(content))
    store.unmark_candidate(version)
    return new


def last_switch(store: PublishedVersions) -> Switch | None:
    """Return the switch to the live version; None before the first one."""
    return _switch_of(store.live_record())


def unrecorded(store: PublishedVersions) -> list[Switch]:
    """Return the switches that the review history may lack, oldest first."""
    try:
        with store.reached():
            files = store.filesystem.ls(f"{store.root}/{FOLDER}", detail=False)
    except FileNotFoundError:
        files = []
    former = [_read(store, file) for file in files if file.endswith(".json")]
    last = last_switch(store)
    return sorted((switch for switch in [*former, last] if switch), key=lambda switch: switch.at)


def forget(store: PublishedVersions, switch: Switch) -> None:
    """Delete what is kept of a switch that the review history has."""
    file = f"{store.root}/{FOLDER}/{switch.id}.json"
    with store.reached():
        if store.filesystem.exists(file):
            store.filesystem.rm(file)


def _switch_of(record: dict[str, object]) -> Switch | None:
    content = record.get("switch")
    return Switch(**content) if isinstance(content, dict) else None


def _read(store: PublishedVersions, file: str) -> Switch | None:
    try:
        with store.reached(), store.filesystem.open(file, "rb") as opened:
            return Switch(**json.load(opened))
    except FileNotFoundError:  # another command has recorded it
        return None


def _write(store: PublishedVersions, name: str, text: str) -> None:
    with store.reached(), atomic_upload(store.filesystem, f"{store.root}/{name}") as file:
        file.write(text.encode())
