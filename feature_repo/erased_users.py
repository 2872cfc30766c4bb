"""The users who were erased: keyed digests, which tell whether an id is one of them but not which ids are."""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_BYTES: Final = 16


@dataclass(frozen=True)
class ErasedUsers:
    """Digests of user ids, 32 hex digits each, under a random salt of the home."""

    salt: bytes = b""
    digests: frozenset[str] = frozenset()

    def __contains__(self, user_id: object) -> bool:
        return isinstance(user_id, str) and bool(self.digests) and self.digest(user_id) in self.digests

    def __bool__(self) -> bool:
        return bool(self.digests)

    def among(self, user_ids: Iterable[str]) -> list[str]:
        """Return those of the ids that are erased."""
        return [user_id for user_id in user_ids if user_id in self] if self else []

    def digest(self, user_id: str) -> str:
        return hmac.digest(self.salt, user_id.encode(), "sha256")[:_BYTES].hex()
