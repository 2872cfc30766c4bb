"""The folder of a run, or of the logs of a `penchant serve`: named by its time, and used by one process."""

import itertools
import time
from pathlib import Path


def new_run_folder(home: Path, prefix: str = "") -> Path:
    """Create `home`/runs/<prefix><time>, with a number where another one has the time of this second."""
    name = prefix + time.strftime("%Y%m%d-%H%M%S")
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    folders = (home / "runs" / unused for unused in names)
    return next(folder for folder in folders if _create(folder))


def _create(folder: Path) -> bool:
    """Create a folder; return False if it exists."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        return False
    return True
