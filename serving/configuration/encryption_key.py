"""The key of an encrypted home: in a file, or printed by a command, such as that of a KMS."""

import shlex
import subprocess
from pathlib import Path
from typing import Final

# In bytes: a shorter key could be guessed.
_SHORTEST: Final = 32

_FILE, _COMMAND = "PENCHANT_ENCRYPTION_KEY_FILE", "PENCHANT_ENCRYPTION_KEY_COMMAND"


def read_encryption_key(file: Path | None, command: str) -> bytes | None:
    """Return the key; None without a file and a command.

    Raises:
        ValueError: both are given, the file can't be read, the command fails, or the key is too short or has
            several lines.
    """
    if file and command:
        raise ValueError(f"expected one of {_FILE} and {_COMMAND}")
    if not file and not command:
        return None
    place = f"{_FILE}={file}" if file else _COMMAND
    key = (file.read_bytes() if file.is_file() else b"") if file else _printed(command)
    key = key.strip()
    if not key and file:
        raise ValueError(f"{place}: expected a file with the key")
    if len(key) < _SHORTEST or len(key.splitlines()) != 1:
        raise ValueError(
            f"{place}: expected a key of one line of {_SHORTEST} characters or more; "
            "`openssl rand -hex 32` prints one"
        )
    return key


def _printed(command: str) -> bytes:
    """Return what a command prints; its error messages go to those of this process."""
    try:
        return subprocess.run(shlex.split(command), stdout=subprocess.PIPE, check=True).stdout
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        reason = (
            f"it ended with code {error.returncode}"
            if isinstance(error, subprocess.CalledProcessError)
            else error
        )
        raise ValueError(f"{_COMMAND}: expected a command that prints the key ({reason})") from error
