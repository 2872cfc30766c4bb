"""Which code runs."""

import os
import subprocess
from pathlib import Path
from typing import Final

# The commit that an image was built from.
VARIABLE: Final = "SOURCE_COMMIT"


def current_commit() -> str | None:
    """Return the commit of this code, with "-dirty" if files differ.

    Outside its repository, as in an image, it is the value of VARIABLE; None without one.
    """
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
        return os.environ.get(VARIABLE) or None
    return description.stdout.strip()
