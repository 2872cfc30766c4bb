"""Text from data, as it is shown."""

import pytest

from feature_repo.printable_text import LONGEST, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Amélie [/bar] 映画 👍🏽", "Amélie [/bar] 映画 👍🏽"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x9b31m\x7f", r"\x9b31m\x7f"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("safe\u202etxt.exe", r"safe\u202etxt.exe"),
        ("\ud800", r"\ud800"),
    ],
)
def test_control_characters_are_escaped_and_all_others_stay(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("log postgresql://ann:s3cret@db/log is locked", "log postgresql://ann:***@db/log is locked"),
        ("redis://:s3cret@host:6379", "redis://:***@host:6379"),
        ("postgresql://ann:s3@cr:et@db", "postgresql://ann:***@db"),
        ("http://host:4317/a@b", "http://host:4317/a@b"),
        ("https://host:80", "https://host:80"),
    ],
)
def test_passwords_in_urls_are_masked(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_with_lines_line_breaks_and_tabs_stay() -> None:
    assert printable("a\nb\tc\r\x1b", lines=True) == "a\nb\tc\\r\\x1b"


def test_the_end_of_a_long_text_is_cut() -> None:
    shown = printable("x" * 3_000_000)
    assert shown == "x" * LONGEST + "… (2,990,000 more characters)"
