"""From one release to another and back while clients ask."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from feature_repo.atomic_files import atomic_directory, write_text_atomically
from feature_repo.contract import INTEREST_MODEL, LIVE, RANKING
from tests.benchmarks.world import VERSION

_TIMEOUT_S: Final = 60.0


@contextmanager
def republished(releases: Path) -> Iterator[int]:
    """The release under another number too, each part whole at once; a kept world is left as it was."""
    another = VERSION + 1
    targets = [releases / kind / str(another) for kind in (RANKING, INTEREST_MODEL)]
    for target in targets:
        with atomic_directory(target) as staged:
            shutil.copytree(target.with_name(str(VERSION)), staged, dirs_exist_ok=True)
    try:
        yield another
    finally:
        for target in targets:
            shutil.rmtree(target)


def swap(releases: Path, another: int, live: Callable[[], int], times: int) -> None:
    """To the other release and back, `times` in all; `live` says which version answers now.

    Raises:
        RuntimeError: a version was not taken up.
    """
    for turn in range(times):
        version = VERSION if turn % 2 else another
        write_text_atomically(releases / LIVE, json.dumps({"version": version}))
        deadline = time.monotonic() + _TIMEOUT_S
        while live() != version:
            if time.monotonic() > deadline:
                raise RuntimeError(f"release {version} does not answer after {_TIMEOUT_S:.0f} s")
            time.sleep(0.05)
