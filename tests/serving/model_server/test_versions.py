"""Versions on disk, and the policies that select them."""

from pathlib import Path

import pytest

from serving.model_server.versions import find_versions, parse_policy

ON_DISK = [3, 10, 1, 2]


@pytest.mark.parametrize(
    ("text", "served"),
    [
        ("latest:1", {10}),
        ("latest:2", {3, 10}),
        ("latest:9", {1, 2, 3, 10}),
        ("all", {1, 2, 3, 10}),
        ("specific:2", {2}),
        ("specific:2,10,77", {2, 10}),
    ],
)
def test_policies_select_versions(text: str, served: set[int]) -> None:
    assert parse_policy(text)(ON_DISK) == served


@pytest.mark.parametrize(
    "text", ["", "latest", "latest:0", "latest:x", "all:2", "specific:", "specific:1,", "newest:1"]
)
def test_an_invalid_policy_is_rejected_with_the_valid_forms(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected latest:COUNT, all or specific:VERSION"):
        parse_policy(text)


def test_versions_are_directories_with_a_number_as_name(tmp_path: Path) -> None:
    for name in ("1", "002", "20", "-3", "4a", ".5", "draft"):
        (tmp_path / name).mkdir()
    (tmp_path / "7").write_text("a file")

    assert find_versions(tmp_path) == {1: tmp_path / "1", 2: tmp_path / "002", 20: tmp_path / "20"}
