"""Pseudonyms of user ids, and the file with their key."""

import base64
import hashlib
import hmac
from pathlib import Path

import pytest

from feature_repo.pseudonyms import Pseudonyms, read_pseudonyms

KEY = b"k" * 32


def test_a_pseudonym_is_the_first_half_of_the_hmac_as_hex_digits() -> None:
    expected = hmac.new(KEY, b"ann", hashlib.sha256).hexdigest()[:32]
    assert Pseudonyms(KEY).of("ann") == expected


def test_text_that_can_be_no_id_gets_no_pseudonym() -> None:
    pseudonyms = Pseudonyms(KEY)
    assert pseudonyms.of_valid(["ann", "", "a\nb", "x" * 257]) == [pseudonyms.of("ann"), "", "", ""]


def test_the_check_value_tells_keys_apart_and_is_the_pseudonym_of_no_id() -> None:
    assert Pseudonyms(KEY).check == Pseudonyms(KEY).check != Pseudonyms(b"K" * 32).check
    assert KEY.decode() not in Pseudonyms(KEY).check


def test_blanks_and_line_ends_around_a_key_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b" " + KEY + b"\r\n")
    pseudonyms = read_pseudonyms(tmp_path / "key")
    assert pseudonyms
    assert pseudonyms.check == Pseudonyms(KEY).check
    assert read_pseudonyms(None) is None
    assert read_pseudonyms("") is None


def test_a_later_key_makes_a_pseudonym_of_the_pseudonym(tmp_path: Path) -> None:
    later = b"l" * 40
    (tmp_path / "keys").write_bytes(b"penchant-keys-1\n" + KEY + b"\n " + later + b"\n")
    old, new = Pseudonyms(KEY), read_pseudonyms(tmp_path / "keys")
    assert new
    assert new.of("ann") == new.of_earlier(old.of("ann")) == Pseudonyms(later).of(old.of("ann"))
    assert new.check not in (old.check, Pseudonyms(later).check)
    assert old.is_followed_by(new)
    assert not new.is_followed_by(old)
    assert not old.is_followed_by(Pseudonyms(later, KEY))
    assert not old.is_followed_by(Pseudonyms(KEY))


@pytest.mark.parametrize("key", [b"x" * 20 + b"\n" + b"y" * 20, b"x" * 64 + b"\n" + b"y" * 64])
def test_a_file_without_the_mark_of_a_chain_has_one_key_which_may_have_line_ends(
    key: bytes, tmp_path: Path
) -> None:
    (tmp_path / "key").write_bytes(key + b"\n")
    pseudonyms = read_pseudonyms(tmp_path / "key")
    assert pseudonyms
    assert pseudonyms.of("ann") == Pseudonyms(key).of("ann")
    chain = [b"penchant-keys-1", b"base64:" + base64.b64encode(key + b"\n"), KEY]
    (tmp_path / "keys").write_bytes(b"\n".join(chain))
    followed = read_pseudonyms(tmp_path / "keys")
    assert followed
    assert pseudonyms.is_followed_by(followed)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"PENCHANT_PSEUDONYM_KEY_FILE=.*: expected a file with the key \(No such file"),
        (b"secret\n", r"expected a key of 32 characters or more; `openssl rand -hex 32` prints one"),
        (b"penchant-keys-1\n" + KEY + b"\nsecret\n", r"expected a key of 32 characters or more"),
        (b"penchant-keys-1\n", r"expected a key of 32 characters or more"),
        (b"penchant-keys-1\n" + KEY + b"\n" + KEY, r"expected different keys; `openssl rand -hex 32`"),
        (b"penchant-keys-1\nbase64:secret_", r"expected Base64 after `base64:`"),
    ],
)
def test_a_wrong_file_names_the_setting_and_no_key(
    content: bytes | None, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        read_pseudonyms(file)
    assert "secret" not in str(error.value)
