"""The append-only history of decisions about versions; each record has the hash of the one before."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa

from components.errors import StepError


class Act(StrEnum):
    """What happened to a version."""

    REGISTERED = "registered"
    APPROVED = "approved"
    REJECTED = "rejected"
    PUSHED = "pushed"
    SMOKE_TEST_FAILED = "smoke test failed"
    ROLLED_BACK = "rolled back"
    INTERRUPTED = "interrupted"  # a promotion that ended before the switch; the version waits again
    COMPLETED = "completed"  # a decision whose command was killed before all of it was stored
    MADE_CANDIDATE = "made candidate"  # by an alias that was set elsewhere
    ALIAS_REFUSED = "alias refused"  # an alias that was set elsewhere, and set back
    PRUNED = "pruned"  # the artifacts are deleted, the records stay


_TABLE: Final = sa.Table(
    "penchant_review_history",
    sa.MetaData(),
    sa.Column("model_name", sa.String(256), primary_key=True),
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)

# Other processes that append at the same time; each attempt lets one of them win.
_ATTEMPTS: Final = 50


@dataclass(frozen=True)
class Record:
    """One act.

    Attributes:
        sequence: 1, 2, 3, … without gaps.
        at: ISO 8601, UTC.
        by: the person, or the policy.
        live_before, live_after: the live version before and after the act; None for none.
        figures: what was known at that moment, such as metrics.
        previous: the hash of the record before; "" for the first.
        switch: the id of the switch of the live version that it records; "" for other acts.
        recorded_at: ISO 8601, UTC, where the record was written later than `at`: the command was killed, or
            the database could not be reached. "" for records that were written at once.
    """

    sequence: int
    at: str
    act: str
    version: int
    by: str
    reason: str
    live_before: int | None
    live_after: int | None
    figures: dict[str, Any] = field(default_factory=dict)
    previous: str = ""
    switch: str = ""
    recorded_at: str = ""

    def content(self) -> str:
        """Return the record as JSON with sorted keys."""
        return json.dumps(asdict(self), sort_keys=True)

    def hash(self) -> str:
        """Return the SHA-256 of the content, in hexadecimal digits."""
        return _hash(self.content())


class ReviewHistory:
    """The records of one registered model in the table `penchant_review_history` of a SQL database.

    Args:
        url: SQLAlchemy URL of a SQLite or PostgreSQL database; the table is created at the first use.
    """

    def __init__(self, url: str, model_name: str) -> None:
        parsed = sa.make_url(url)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        # A file may be replaced between two calls, and a server may close connections that are not used.
        self._engine = sa.create_engine(parsed, poolclass=sa.NullPool)
        self._model_name = model_name
        self._has_table = False

    def records(self) -> list[Record]:
        """Return all records, oldest first.

        Raises:
            StepError: the database cannot be reached, or a record cannot be read.
        """
        return [_record(row.sequence, row.content) for row in self._rows()]

    def append(
        self,
        act: Act,
        version: int,
        by: str,
        reason: str = "",
        live: tuple[int | None, int | None] = (None, None),
        figures: dict[str, Any] | None = None,
        last_seen: int | None = None,
        switch: str = "",
        at: str = "",
    ) -> Record:
        """Append one record; a switch that is recorded already is not recorded again.

        Args:
            live: the live version before and after the act.
            last_seen: the sequence of the last record that the reviewer knew, for a decision; None if what
                others have decided since does not matter.
            switch: the id of the switch that the record is about.
            at: ISO 8601, UTC, of an act that is recorded later; "" stands for the present time.

        Raises:
            StepError: somebody else has decided about this version since, or the database cannot be reached.
        """
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        for _ in range(_ATTEMPTS):
            # Read first: the insertion fails if anybody appends after this.
            sequence, previous = self._last()
            if switch and (recorded := self._of_switch(switch)):
                return recorded[0]
            if last_seen is not None:
                _check_unchanged(self._since(last_seen), version, by, act)
            record = Record(
                sequence=sequence + 1,
                at=at or now,
                act=act.value,
                version=version,
                by=by,
                reason=reason,
                live_before=live[0],
                live_after=live[1],
                figures=figures or {},
                previous=previous,
                switch=switch,
                recorded_at=now if at else "",
            )
            if self._insert(record):
                return record
        raise StepError("the review history is written by many processes at once: repeat the command")

    def has_switch(self, switch: str) -> bool:
        """Return whether a switch is recorded; raises as `records`."""
        return bool(self._of_switch(switch))

    def last_sequence(self) -> int:
        """Return the sequence of the last record, 0 for an empty history; raises as `records`."""
        return self._last()[0]

    def last_hash(self) -> str:
        """Return the hash of the last record, "" for an empty history; raises as `records`."""
        return self._last()[1]

    def verify(self) -> list[str]:
        """Return what is wrong with the history, in words; empty if every record is there and unchanged."""
        faults, previous = [], ""
        for expected, row in enumerate(self._rows(), start=1):
            record = _record(row.sequence, row.content)
            if row.sequence != expected:
                faults.append(f"record {expected} is missing")
                break
            if _hash(row.content) != row.hash:
                faults.append(f"record {expected} was changed")
            if record.previous != previous:
                faults.append(f"record {expected} does not follow from record {expected - 1}")
            previous = row.hash
        return faults

    def _last(self) -> tuple[int, str]:
        """Return the sequence and the hash of the last record."""
        rows = self._select(sa.select(_TABLE).order_by(_TABLE.c.sequence.desc()).limit(1))
        return (rows[0].sequence, rows[0].hash) if rows else (0, "")

    def _since(self, sequence: int) -> list[Record]:
        rows = self._select(sa.select(_TABLE).where(_TABLE.c.sequence > sequence))
        return [_record(row.sequence, row.content) for row in rows]

    def _of_switch(self, switch: str) -> list[Record]:
        rows = self._select(sa.select(_TABLE).where(_TABLE.c.content.contains(f'"switch": "{switch}"')))
        return [_record(row.sequence, row.content) for row in rows]

    def _rows(self) -> Sequence[sa.Row[Any]]:
        return self._select(sa.select(_TABLE).order_by(_TABLE.c.sequence))

    def _select(self, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        """Return the rows of this model; creates the table at the first use."""
        try:
            if not self._has_table:
                _TABLE.metadata.create_all(self._engine)
                self._has_table = True
            with self._engine.connect() as connection:
                return connection.execute(query.where(_TABLE.c.model_name == self._model_name)).all()
        except sa.exc.DBAPIError as error:
            raise _unreachable(error) from error

    def _insert(self, record: Record) -> bool:
        """Insert a record; return False if another process has taken its sequence number."""
        values = {
            "model_name": self._model_name,
            "sequence": record.sequence,
            "content": record.content(),
            "hash": record.hash(),
        }
        try:
            with self._engine.begin() as connection:
                connection.execute(sa.insert(_TABLE).values(values))
        except sa.exc.IntegrityError:
            return False
        except sa.exc.DBAPIError as error:
            raise _unreachable(error) from error
        return True


def _check_unchanged(since: Sequence[Record], version: int, by: str, act: Act) -> None:
    """Raise StepError if another person, or another decision, came first; a retry repeats its own."""
    for record in since:
        is_decision = record.act in (Act.APPROVED, Act.REJECTED, Act.ROLLED_BACK)
        is_other = record.version == version and is_decision and (record.by, record.act) != (by, act)
        switches = act == Act.APPROVED and record.act in (Act.PUSHED, Act.ROLLED_BACK)
        if is_other or (switches and record.version != version):
            raise StepError(
                f"{record.by} has {record.act} version {record.version} at {record.at}, after you looked: "
                f"see `penchant review history` and decide again"
            )


def _record(sequence: int, content: str) -> Record:
    try:
        return Record(**json.loads(content))
    except (ValueError, TypeError) as error:
        raise StepError(
            f"record {sequence} of the review history cannot be read: {error}; `penchant review history "
            "--verify` checks all records"
        ) from error


def _hash(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def _unreachable(error: Exception) -> StepError:
    reason = str(error.__cause__ or error).splitlines()[0]
    return StepError(f"the database of the review history cannot be reached: {reason}")
