"""The durable, idempotent log of interactions: the service writes it, the next pipeline run ingests it.

SQLite serves the processes of one machine, PostgreSQL several machines. `interaction_id` is unique, so that
a retry changes nothing. The database numbers the interactions in the order of their recording, and keeps up
to which number a snapshot of the features has them: no clock decides what an answer or a run reads.
"""

from collections.abc import Collection, Iterator, Sequence
from functools import partial

from feature_repo.interaction import Interaction
from serving.user_data import erased_users, log_schema, log_statements
from serving.user_data.interaction_table import INTERACTIONS, from_row, to_row
from serving.user_data.log_connections import LogConnections
from serving.user_data.log_snapshots import mark
from serving.user_data.recorded_content import check_content


class InteractionLog:
    """A table of interactions in a SQL database.

    Connects at the first call; every method raises Unavailable if the database can't be reached.
    """

    def __init__(self, url: str, timeout_s: float = 5.0, key_check: str | None = None) -> None:
        """`timeout_s` limits each wait for a lock and each statement.

        `key_check`: the check value of the pseudonym key of the user ids, "" without a key; None is for a
        reader, which takes the user ids as they are. With another key than that of its log, every method
        raises WrongPseudonymKey.

        Raises:
            ValueError: the URL is neither sqlite nor postgresql.
        """
        self._database = LogConnections(url, timeout_s, partial(log_schema.create, key_check=key_check))
        self._insert = (
            log_statements.insert(self._database.dialect, INTERACTIONS)
            .on_conflict_do_nothing()
            .returning(INTERACTIONS.c.interaction_id)
        )

    @property
    def max_read_s(self) -> float:
        """The longest time that `since` can take; infinite for PostgreSQL, and before the table exists."""
        return self._database.max_read_s

    def open(self) -> None:
        """Connect now instead of at the first call."""
        self._database.open()

    def record(self, interactions: Sequence[Interaction], without_time: Collection[str] = ()) -> int:
        """Append all `interactions` or none, durably; returns the number of new ids.

        An id that the log has is no error if its interaction has the same content. `without_time`: ids of
        interactions whose timestamp the service set: a retry has another one.

        Raises:
            AlreadyExists: an id is that of another interaction, in the log or among `interactions`.
            ErasedUser: a user was erased.
        """
        if not interactions:
            return 0
        # One order for all writers: transactions that wait for each other's ids in two orders would deadlock.
        rows = [to_row(interaction) for interaction in sorted(interactions, key=lambda i: i.interaction_id)]
        with self._database.write("record") as connection:
            new = connection.execute(self._insert, rows).all()
            erased_users.refuse(connection, (interaction.user_id for interaction in interactions))
            if len(new) < len(rows):
                check_content(connection, interactions, without_time)
        return len(new)

    def since(self, user_id: str, as_of: int) -> list[Interaction]:
        """Return a user's interactions that the snapshot as of `as_of` (µs) lacks; 0 for all of the user.

        At most MAX_HISTORY + 1, the last recorded ones, without impressions: with more than MAX_HISTORY,
        `newest` and `new_items` have the others.
        """
        rows = self._database.read(log_statements.SINCE, {"user": user_id, "as_of": as_of})
        return [from_row(row) for row in rows]

    def since_until(self, user_id: str, as_of: int, until: int) -> list[Interaction]:
        """Return what `since` returned at the time `until` (µs of the database's clock)."""
        parameters = {"user": user_id, "as_of": as_of, "until": until}
        return [from_row(row) for row in self._database.query("read", log_statements.SINCE_UNTIL, parameters)]

    def since_ids(self, user_id: str, as_of: int) -> str:
        """Return the ids of `since`, one a line, at a tenth of its cost."""
        rows = self._database.read(log_statements.SINCE_IDS, {"user": user_id, "as_of": as_of})
        return str(rows[0][0] or "")

    def newest(self, user_id: str, as_of: int) -> list[Interaction]:
        """Return those of a user's MAX_HISTORY newest interactions, by timestamp, that the snapshot lacks."""
        rows = self._database.read(log_statements.NEWEST, {"user": user_id, "as_of": as_of})
        return [from_row(row) for row in rows]

    def new_items(self, user_id: str, as_of: int) -> list[str]:
        """Return the items of the last MAX_HISTORY + MAX_SEEN_BEFORE interactions that the snapshot lacks.

        One more shows that there are others. Last recorded ones first, without impressions.
        """
        rows = self._database.read(log_statements.NEW_ITEMS, {"user": user_id, "as_of": as_of})
        return [item_id for (item_id,) in rows]

    def impressions(self, user_id: str, recorded_after: int) -> list[tuple[str, int]]:
        """Return (item id, impressions) that clients recorded of a user since `recorded_after` (µs).

        Of the newest log_statements.MAX_IMPRESSIONS.
        """
        rows = self._database.read(log_statements.IMPRESSIONS, {"user": user_id, "after": recorded_after})
        return [(item_id, count) for item_id, count in rows]

    def impressions_until(self, user_id: str, recorded_after: int, until: int) -> list[tuple[str, int]]:
        """Return what `impressions` returned at the time `until` (µs of the database's clock)."""
        parameters = {"user": user_id, "after": recorded_after, "until": until}
        rows = self._database.query("read", log_statements.IMPRESSIONS_UNTIL, parameters)
        return [(item_id, count) for item_id, count in rows]

    def depth(self, as_of: int) -> int:
        """Count the interactions that the snapshot as of `as_of` (µs) lacks, without impressions."""
        return int(self._database.query("read", log_statements.DEPTH, {"as_of": as_of})[0][0])

    def mark(self, as_of: int) -> int:
        """Return the position up to which a snapshot as of `as_of` (µs) has everything, and keep it.

        Everything up to it is committed, and what is committed later has a higher position.
        """
        with self._database.write("mark a snapshot") as connection:
            return mark(connection, as_of)

    def position(self, as_of: int) -> int | None:
        """Return the position of an earlier `mark`; None if this log has none of that time."""
        rows = self._database.query("read", log_statements.POSITION, {"as_of": as_of})
        return int(rows[0][0]) if rows else None

    def export(self, after: int, until: int, batch_size: int = 50_000) -> Iterator[list[Interaction]]:
        """Yield batches of everything at positions above `after` up to `until`, in this order."""
        parameters = {"after": after, "until": until, "batch_size": batch_size}
        while rows := self._database.query("export", log_statements.EXPORT, parameters):
            yield [from_row(row[1:]) for row in rows]
            parameters["after"] = rows[-1][0]

    def of_user(self, user_id: str) -> list[Interaction]:
        """Return all of a user's interactions, in the order of recording."""
        return [
            from_row(row) for row in self._database.query("read", log_statements.OF_USER, {"user": user_id})
        ]

    def recorded_between(self, start: int, end: int, batch_size: int = 50_000) -> Iterator[list[Interaction]]:
        """Yield batches of what was recorded from `start` until before `end`, µs of the database's clock."""
        parameters = {"time": start - 1, "position": 1 << 62, "end": end, "batch_size": batch_size}
        while rows := self._database.query("read", log_statements.RECORDED_BETWEEN, parameters):
            yield [from_row(row[2:]) for row in rows]
            parameters |= {"time": rows[-1].recorded_at, "position": rows[-1].position}

    def close(self) -> None:
        self._database.close()
