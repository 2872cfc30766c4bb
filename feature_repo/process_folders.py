"""A folder for the temporary files of each process, named so that it is known when the process has ended.

Linux only. The name has the process's id and the time of its start: ids are used again.
"""

import atexit
import os
import shutil
from pathlib import Path


def make_folder_of_this_process(parent: Path) -> Path:
    """Make the folder of this process in `parent`, and delete it when the process ends; a repeat keeps it.

    A process that is killed leaves its folder, which then is no longer in use.
    """
    process = os.getpid()
    folder = parent / f"{process}-{_start_time(process)}"
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True)
        atexit.register(_delete, folder, process)
    return folder


def unused_entries(parent: Path) -> list[Path]:
    """Return what lies in `parent`, but the folders of processes that still run."""
    return [entry for entry in sorted(parent.glob("*")) if not _is_in_use(entry.name)]


def _is_in_use(name: str) -> bool:
    process, _, start = name.partition("-")
    return process.isdecimal() and start == _start_time(int(process))


def _start_time(process: int) -> str | None:
    """Return when a process started, in clock ticks since the boot; None if it has ended. See proc(5)."""
    try:
        status = Path(f"/proc/{process}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return status.rpartition(")")[2].split()[19]


def _delete(folder: Path, process: int) -> None:
    """Delete the folder, but not at the end of a forked process; the home may be locked by then."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)
