"""Which code runs."""

import subprocess
from pathlib import Path


def current_commit() -> str | None:
    """Return the commit of this code, with "-dirty" if files differ; None outside its repository."""
    this_file = Path(__file__)
    git = ["git", "-C", str(this_file.parent)]
    try:
        subprocess.run([*git, "ls-files", "--error-unmatch", this_file.name], capture_output=True, check=True)
        description = subprocess.run(
            [*git, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return description.stdout.strip()
