"""The offline store's files are staged on the file system of their target."""

from pathlib import Path

import pytest

from components.build_features.offline_store import publishing


def test_files_are_staged_inside_the_target_which_may_be_a_mount_point(tmp_path: Path) -> None:
    target = tmp_path / "features"
    with publishing(str(target)) as staging:
        assert target in staging.parents
        (staging / "user_history.parquet").write_text("new")
        assert not (target / "user_history.parquet").exists()
    assert [path.name for path in target.iterdir()] == ["user_history.parquet"]


def test_an_error_leaves_the_target_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "user_history.parquet").write_text("old")

    def write_half() -> None:
        with publishing(str(tmp_path)) as staging:
            (staging / "user_history.parquet").write_text("half")
            raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        write_half()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]
