"""Replacing files and directories: errors, concurrent writers, killed writers."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest

from feature_repo.atomic_files import (
    atomic_directory,
    atomic_file,
    atomic_upload,
    remove_directory,
    write_text_atomically,
)

WRITER = """
import sys, time
from pathlib import Path
from feature_repo.atomic_files import atomic_file
with atomic_file(Path(sys.argv[1])) as staged:
    staged.write_text("half")
    print("writing", flush=True)
    time.sleep(600)
"""


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def fill_half_and_fail(file: Path) -> None:
    file.write_text("half")
    raise FileNotFoundError


def test_a_file_is_replaced_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "new folder" / "file.txt"
    write_text_atomically(target, "old")
    with atomic_file(target) as staged:
        staged.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert names(target.parent) == ["file.txt"]


def test_an_error_leaves_the_old_file_unchanged(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(FileNotFoundError), atomic_file(target) as staged:
        fill_half_and_fail(staged)
    assert target.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


def test_the_staged_path_has_the_suffix_that_a_library_would_append(tmp_path: Path) -> None:
    with atomic_file(tmp_path / "array.npy") as staged:
        np.save(staged, np.arange(3))
    assert np.load(tmp_path / "array.npy").tolist() == [0, 1, 2]


def test_a_file_gets_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    write_text_atomically(tmp_path / "atomic", "")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_of_two_writers_of_a_file_the_last_to_finish_wins(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    with atomic_file(target) as first:
        first.write_text("first")
        with atomic_file(target) as second:
            second.write_text("second")
        assert target.read_text() == "second"
    assert target.read_text() == "first"
    assert names(tmp_path) == ["file.txt"]


def test_readers_never_find_a_half_written_file(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    versions = [letter * 100_000 for letter in "abcd"]
    write_text_atomically(target, versions[0])

    def write(version: str) -> None:
        for _ in range(20):
            write_text_atomically(target, version)

    writers = [threading.Thread(target=write, args=[version]) for version in versions]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert target.read_text() in versions
    assert names(tmp_path) == ["file.txt"]


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that is writing tmp_path/file.txt."""
    command = [sys.executable, "-c", WRITER, str(tmp_path / "file.txt")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        yield process
        process.kill()


def test_the_next_write_deletes_the_files_of_a_killed_writer(
    tmp_path: Path, writer: subprocess.Popen[str]
) -> None:
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    (leftover,) = tmp_path.iterdir()
    assert (leftover / "file.txt").read_text() == "half"
    write_text_atomically(tmp_path / "file.txt", "whole")
    assert names(tmp_path) == ["file.txt"]


def test_a_write_keeps_the_files_of_a_running_writer(tmp_path: Path, writer: subprocess.Popen[str]) -> None:
    write_text_atomically(tmp_path / "file.txt", "whole")
    (staged,) = tmp_path.glob(".file.txt.*/file.txt")
    assert staged.read_text() == "half"


def test_a_directory_is_replaced_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "release"
    with atomic_directory(target) as staged:
        (staged / "old").write_text("")
    with atomic_directory(target) as staged:
        (staged / "new").write_text("")
        assert names(target) == ["old"]
    assert names(target) == ["new"]
    assert names(tmp_path) == ["release"]


def test_an_error_leaves_the_old_directory_unchanged(tmp_path: Path) -> None:
    target = tmp_path / "release"
    with atomic_directory(target) as staged:
        (staged / "old").write_text("")
    with pytest.raises(FileNotFoundError), atomic_directory(target) as staged:
        fill_half_and_fail(staged / "new")
    assert names(target) == ["old"]
    assert names(tmp_path) == ["release"]


def test_concurrent_writers_of_a_directory_leave_one_complete_version(tmp_path: Path) -> None:
    target, errors = tmp_path / "release", []

    def write(version: str) -> None:
        try:
            for _ in range(20):
                with atomic_directory(target) as staged:
                    (staged / "a").write_text(version)
                    (staged / "b").write_text(version)
        except OSError as error:
            errors.append(error)

    writers = [threading.Thread(target=write, args=[version]) for version in "xyz"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert not errors
    assert (target / "a").read_text() == (target / "b").read_text()
    assert names(tmp_path) == ["release"]


def test_remove_directory_leaves_no_file_and_accepts_a_missing_directory(tmp_path: Path) -> None:
    (tmp_path / "release").mkdir()
    (tmp_path / "release" / "file").write_text("")
    remove_directory(tmp_path / "release")
    remove_directory(tmp_path / "release")
    assert not names(tmp_path)


@pytest.mark.parametrize("protocol", ["file", "memory"])
def test_an_upload_is_visible_once_it_is_complete(protocol: str, tmp_path: Path) -> None:
    filesystem = fsspec.filesystem(protocol)
    path = f"{tmp_path}/new folder/file"
    with atomic_upload(filesystem, path) as file:
        file.write(b"old")
    with pytest.raises(FileNotFoundError), atomic_upload(filesystem, path) as file:
        file.write(b"half" + (tmp_path / "absent").read_bytes())
    assert filesystem.cat_file(path) == b"old"
    (entry,) = filesystem.ls(f"{tmp_path}/new folder", detail=False)
    assert entry.endswith("/new folder/file")
