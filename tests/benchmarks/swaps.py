"""Switches between two releases under load."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from feature_repo.atomic_files import atomic_directory, write_text_atomically
from feature_repo.contract import INTEREST_MODEL, LIVE, RANKING
from tests.benchmarks.world import VERSION
from tests.patience import wait_until


@contextmanager
def republished(releases: Path) -> Iterator[int]:
    """Publish a copy of the release under the next version, and remove it at the end; gives its version."""
    other = VERSION + 1
    targets = [releases / kind / str(other) for kind in (RANKING, INTEREST_MODEL)]
    for target in targets:
        with atomic_directory(target) as staged:
            shutil.copytree(target.with_name(str(VERSION)), staged, dirs_exist_ok=True)
    try:
        yield other
    finally:
        for target in targets:
            shutil.rmtree(target)


def swap(releases: Path, other: int, live: Callable[[], int], times: int) -> None:
    """Switch to the other release and back, `times` in all; `live` returns the version in use."""
    for turn in range(times):
        version = VERSION if turn % 2 else other
        write_text_atomically(releases / LIVE, json.dumps({"version": version}))
        wait_until(lambda version=version: live() == version, pause_s=0.05)  # type: ignore[misc]
