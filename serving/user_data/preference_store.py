"""Reads and writes what users set about their answers."""

from dataclasses import dataclass

from serving.user_data import erased_users, log_schema, preferences
from serving.user_data.log_connections import LogConnections


@dataclass(frozen=True)
class Preference:
    """What a user has set, and when: µs since the epoch."""

    personalized: bool
    changed_at: int


class PreferenceStore:
    """Every method raises Unavailable if the database of the interaction log can't be reached."""

    def __init__(self, url: str, timeout_s: float = 5.0) -> None:
        """`timeout_s` limits each wait for a lock and each statement.

        Raises:
            ValueError: the URL is neither sqlite nor postgresql.
        """
        self._database = LogConnections(url, timeout_s, log_schema.create)

    def last_change(self) -> int:
        """Return the number of the last change; 0 before the first."""
        rows = self._database.query("read the preferences", preferences.LAST, {})
        return int(rows[0][0]) if rows else 0

    def since(self, change: int) -> list[tuple[str, bool, int]]:
        """Return users, whether their answers are personalized, and the change, of all changes after one."""
        rows = self._database.query("read the preferences", preferences.SINCE, {"change": change})
        return [(user_id, bool(personalized), int(number)) for user_id, personalized, number in rows]

    def of_user(self, user_id: str) -> Preference | None:
        """Return what a user has set; None for nothing."""
        rows = self._database.query("read the preferences", preferences.OF_USER, {"user": user_id})
        return Preference(bool(rows[0][0]), int(rows[0][1])) if rows else None

    def set_personalized(self, user_id: str, personalized: bool) -> None:
        """Set whether the user's answers are personalized.

        Raises:
            ErasedUser: nothing is kept of this user.
        """
        with self._database.write("keep a preference") as connection:
            log_schema.lock(connection, shared=True)  # an erasure waits for it, and then deletes it
            erased_users.refuse(connection, [user_id])
            preferences.put(connection, user_id, personalized)

    def erase(self, user_id: str) -> int:
        """Delete what the user has set; returns the number of rows."""
        with self._database.write("erase a preference") as connection:
            return preferences.remove(connection, user_id)

    def close(self) -> None:
        self._database.close()
