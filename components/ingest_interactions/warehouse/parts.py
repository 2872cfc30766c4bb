"""What the manifest of the warehouse lists: parts, retractions, and how far the interaction log was read."""

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final

from feature_repo.erased_users import ErasedUsers

# The source of the interactions that the recommender recorded.
LOG: Final = "log"

# A part of a warehouse of an earlier version, which kept no names of files.
UNNAMED: Final = "unnamed-"


@dataclass(frozen=True)
class Part:
    """A Parquet file with rows of one source.

    Args:
        table: interactions, items or users.
        path: in the warehouse.
        source: the name of a file or a data set, or LOG.
        digest: of the source's content; "" for the log.
        number: later parts have higher ones; the rows have it in the column `part`.
        reading: fingerprint of the options that the content was read with.
        location: path or URL of the content.
        ingested_at: µs since the epoch; 0 is unknown.
        options: the given keys of reading.Reading; the next content of the source is read with them.
        since: the number of the oldest part that this one replaced, directly or through others; 0 for none.
        privacy: what privacy_statement.statement_beside says of interactions that were drawn; {} for others.
    """

    table: str
    path: str
    source: str
    digest: str
    rows: int
    number: int
    reading: str = ""
    location: str = ""
    ingested_at: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    since: int = 0
    privacy: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Retraction:
    """Rows that were withdrawn.

    Args:
        source: the name of a source, "" for all.
        conditions: as in "user_id=7"; without any, the source was withdrawn as a whole.
        at: µs since the epoch.
        rows: their number at that time.
    """

    number: int
    source: str
    conditions: list[str]
    at: int
    rows: int

    @property
    def is_rule(self) -> bool:
        """Whether rows that are ingested later are left out, too."""
        return bool(self.conditions) or self.source == LOG


@dataclass
class Watermarks:
    """The content of the manifest.

    Args:
        catalog: the name of a data set, or "files".
        log: log URL -> time (µs) of the last read.
        feedback: the options of feedback_options.FeedbackOptions that were given last.
        next_part: the number of the next file; a number is used once.
        withdrawn: interactions that replacements and retractions took away, since the warehouse exists.
        pseudonym_key: the check value of the key of the user ids; "" where the ids themselves are stored.
        erased: salt -> digests of users whose rows are kept out, as of feature_repo.erased_users; hex.
            Each interaction log has its salt.
        deleted: digest of an erased user -> table -> rows deleted, until the receipt of the erasure has them.
        obsolete: paths of parts that are not listed any more, to delete.
    """

    catalog: str = ""
    parts: list[Part] = field(default_factory=list)
    log: dict[str, int] = field(default_factory=dict)
    feedback: dict[str, Any] = field(default_factory=dict)
    retractions: list[Retraction] = field(default_factory=list)
    next_part: int = 1
    withdrawn: int = 0
    pseudonym_key: str = ""
    erased: dict[str, list[str]] = field(default_factory=dict)
    deleted: dict[str, dict[str, int]] = field(default_factory=dict)
    obsolete: list[str] = field(default_factory=list)

    @property
    def erased_users(self) -> list[ErasedUsers]:
        return [ErasedUsers(bytes.fromhex(salt), frozenset(digests)) for salt, digests in self.erased.items()]

    def keep_out(self, users: ErasedUsers) -> None:
        """Keep the rows of these users out of later parts, and of no others that their log had erased."""
        if users.salt:
            self.erased[users.salt.hex()] = sorted(users.digests)

    def digests(self) -> set[str]:
        """Return the digests of all erased users."""
        return {digest for digests in self.erased.values() for digest in digests}

    def count_deleted(self, user_id: str, table: str, rows: int) -> None:
        """Keep how many rows of an erased user were deleted."""
        for users in self.erased_users:
            if user_id in users:
                counts = self.deleted.setdefault(users.digest(user_id), {})
                counts[table] = counts.get(table, 0) + rows

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Watermarks":
        """Read a manifest, also one of an earlier version, whose parts have neither numbers nor names."""
        stored: dict[str, Any] = json.loads(text)
        parts = [_part(entry, number) for number, entry in enumerate(stored.pop("parts"), 1)]
        retractions = [Retraction(**entry) for entry in stored.pop("retractions", [])]
        stored.setdefault("next_part", len(parts) + 1)
        known = {name.name for name in fields(cls)}
        return cls(parts=parts, retractions=retractions, **{k: v for k, v in stored.items() if k in known})


def _part(entry: dict[str, Any], position: int) -> Part:
    if "number" in entry:
        return Part(**entry)
    source = f"{UNNAMED}{position}" if entry["source"] == "file" else entry["source"]
    return Part(**{**entry, "source": source, "number": position})
