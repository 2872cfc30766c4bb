"""Counts in sentences: one thing has no s."""

import pytest

from feature_repo.counts import counted


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 test queries"), (1, "1 test query"), (2_000, "2,000 test queries")]
)
def test_one_has_no_plural(number: int, text: str) -> None:
    assert counted(number, "test query", "test queries") == text


def test_most_plurals_have_an_s() -> None:
    assert (counted(1, "answer"), counted(3, "answer")) == ("1 answer", "3 answers")
