"""The key of an encrypted home comes from a file or a command, and a bad one ends in one sentence."""

import sys
from pathlib import Path

import pytest

from serving.configuration.encryption_key import read_encryption_key

KEY = "0123456789abcdef0123456789abcdef"


def test_a_file_or_a_command_gives_the_key(tmp_path: Path) -> None:
    file = tmp_path / "a key"
    file.write_text(f" {KEY}\n")
    assert read_encryption_key(file, "") == KEY.encode()
    assert read_encryption_key(None, f"cat '{file}'") == KEY.encode()
    assert read_encryption_key(None, "") is None


def test_a_bad_key_is_told(tmp_path: Path) -> None:
    for content in ("short", f"{KEY}\n{KEY}", ""):
        (tmp_path / "key").write_text(content)
        with pytest.raises(ValueError, match=r"PENCHANT_ENCRYPTION_KEY_FILE=.*key: expected a "):
            read_encryption_key(tmp_path / "key", "")
    with pytest.raises(ValueError, match=r"PENCHANT_ENCRYPTION_KEY_FILE=.*expected a file with the key"):
        read_encryption_key(tmp_path / "missing", "")
    with pytest.raises(ValueError, match="expected one of PENCHANT_ENCRYPTION_KEY_FILE and"):
        read_encryption_key(tmp_path / "key", "cat key")


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (f"{sys.executable} -c 'raise SystemExit(3)'", "it ended with code 3"),
        ("no-such-program", "No such file"),
        ("'", "No closing quotation"),
        ("true", "one line of 32 characters"),
    ],
)
def test_a_command_that_prints_no_key_is_told(command: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"PENCHANT_ENCRYPTION_KEY_COMMAND: expected a .*{reason}"):
        read_encryption_key(None, command)
