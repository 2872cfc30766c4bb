"""Keyed pseudonyms of user ids: HMAC-SHA-256 with a key that the stores do not have (RFC 2104).

Training and serving must give a user the same pseudonym, so both use this module. A pseudonym is 128 bits, 32
hex digits: among a billion users the chance that any two have the same one is 2e-21 (n² / 2^129).

Keys form a chain: each later one makes a pseudonym of the pseudonym, so that stored ids can get a new key
although nobody can undo an HMAC.
"""

import base64
import binascii
import hmac
from collections.abc import Iterable
from functools import reduce
from pathlib import Path
from typing import Final

from feature_repo.bounds import is_text

BYTES: Final = 16

# The shortest key, in bytes: with a guessable key, anybody could try all user ids.
_SHORTEST_KEY: Final = 32

# The first line of a file with a chain of keys; a file without it has one key, which may have line ends.
_CHAIN: Final = b"penchant-keys-1"
_BASE64: Final = b"base64:"

# No user id is this text, because an id has no control character.
_CHECKED: Final = "\0check value of a pseudonym key"


class WrongPseudonymKey(ValueError):
    """Data was stored under another pseudonym key, or without one."""

    def __init__(self, place: str, stored: str, given: str) -> None:
        """`stored` and `given` are check values; "" is none."""
        if not stored:
            problem = "holds user ids, because it was made without a pseudonym key: unset"
        elif not given:
            problem = "holds pseudonyms of user ids: set the key that it was made with in"
        else:
            problem = "holds pseudonyms that were made with another key: set that one in"
        super().__init__(
            f"{place} {problem} PENCHANT_PSEUDONYM_KEY_FILE, or use another home with --home DIRECTORY"
        )


class Pseudonyms:
    """Gives each user id its pseudonym; nobody without the key can tell which id a pseudonym belongs to."""

    def __init__(self, *keys: bytes) -> None:
        """`keys`: at least one of at least 32 random bytes each, the oldest first."""
        self._keys = keys
        # Tells keys apart and reveals nothing about one; stores keep it.
        self.check = self._digest(_CHECKED)

    def of(self, user_id: str) -> str:
        """Return the pseudonym of a user id."""
        return self._digest(user_id)

    def of_valid(self, user_ids: Iterable[str]) -> list[str]:
        """Return the pseudonym of each id that an interaction may have, and "" for any other one."""
        return [self._digest(user_id) if is_text(user_id) else "" for user_id in user_ids]

    def is_followed_by(self, other: "Pseudonyms") -> bool:
        """Return whether the other chain has the same keys, and one more."""
        return other._keys[:-1] == self._keys

    def of_earlier(self, pseudonym: str) -> str:
        """Return the pseudonym of a user by the one that the chain without its last key gives."""
        return _hmac(self._keys[-1], pseudonym)

    def _digest(self, text: str) -> str:
        return reduce(lambda digest, key: _hmac(key, digest), self._keys, text)


def _hmac(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode(), "sha256")[:BYTES].hex()


def read_pseudonyms(file: str | Path | None) -> Pseudonyms | None:
    """Return the pseudonyms under the key or the chain of keys in a file; None without a file.

    A chain is the line `penchant-keys-1` and then the keys, one a line, the oldest first. A key that is not
    one line of text is written as `base64:` and its Base64. Blanks and line ends around a key do not count.

    Raises:
        ValueError: the file can't be read, a key is too short or no Base64, or a chain has a key twice.
    """
    if not file:
        return None
    place = f"PENCHANT_PSEUDONYM_KEY_FILE={file}"
    try:
        keys = _keys(Path(file).read_bytes().strip())
    except OSError as error:
        raise ValueError(f"{place}: expected a file with the key ({error.strerror})") from error
    except binascii.Error as error:
        raise ValueError(f"{place}: expected Base64 after `{_BASE64.decode()}` ({error})") from error
    if min(map(len, keys), default=0) < _SHORTEST_KEY:
        raise ValueError(
            f"{place}: expected a key of {_SHORTEST_KEY} characters or more; "
            "`openssl rand -hex 32` prints one"
        )
    if len(set(keys)) < len(keys):
        raise ValueError(f"{place}: expected different keys; `openssl rand -hex 32` prints a new one")
    return Pseudonyms(*keys)


def _keys(content: bytes) -> list[bytes]:
    first, *lines = [line.strip() for line in content.splitlines()] or [b""]
    if first != _CHAIN:
        return [content]
    return [
        base64.b64decode(line.removeprefix(_BASE64), validate=True).strip()
        if line.startswith(_BASE64)
        else line
        for line in lines
    ]


def check_value(pseudonyms: Pseudonyms | None) -> str:
    """Return the check value of the key; "" without a key."""
    return pseudonyms.check if pseudonyms else ""
