"""A byte of each file of a published release is changed in turn; and what the verification costs."""

import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from serving.errors import DamagedRelease
from serving.release import checksums
from serving.release.release_store import ReleaseStore
from tests.attack.figures import Figure
from tests.serving.planted import write_release

# Size of the file on which the speed is measured.
MEGABYTES: Final = 200


def figures() -> list[Figure]:
    with TemporaryDirectory(prefix="damaged-releases-") as folder:
        write_release(Path(folder), 1)
        return [_refused(ReleaseStore(folder)), _speed(Path(folder))]


def _refused(store: ReleaseStore) -> Figure:
    """Change the first, the middle and the last byte of each file that the manifest lists."""
    names = json.loads(Path(store.path("ranking", 1), "manifest.json").read_text())["files"]
    refused, tried = 0, 0
    for name in names:
        kind, _, relative = name.partition("/")
        file = Path(store.path(kind, 1), relative)
        whole = file.read_bytes()
        for position in {0, len(whole) // 2, len(whole) - 1}:
            changed = bytearray(whole)
            changed[position] ^= 1
            file.write_bytes(changed)
            tried += 1
            try:
                store.open(1)
            except DamagedRelease as error:
                refused += str(file) in str(error)
            file.write_bytes(whole)
    store.open(1)
    return Figure(
        "damaged files refused by their name", f"{refused} of {tried}", "all", tried > 0 and refused == tried
    )


def _speed(folder: Path) -> Figure:
    """Measure CPU time: of a read, and of a read that the size and the time of the file make unnecessary."""
    file = folder / "large.npy"
    np.save(file, np.zeros(MEGABYTES * 250_000, np.float32))
    names = {"ranking/large.npy": checksums.checksums(folder)["large.npy"]}
    checksums._digest.cache_clear()
    seconds = []
    for _ in range(2):
        started = time.process_time()
        checksums.check_files(folder, "ranking", names)
        seconds.append(time.process_time() - started)
    reached = f"{1000 * seconds[0] / MEGABYTES:.1f} ms per MB, again {1000 * seconds[1]:.2f} ms in all"
    return Figure("cost of the verification", reached, "≤ 5 ms per MB", seconds[0] <= 0.005 * MEGABYTES)
