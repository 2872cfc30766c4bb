"""Which code runs."""

import hashlib
import os
import subprocess
from pathlib import Path
from typing import Final

# The commit that an image was built from.
VARIABLE: Final = "SOURCE_COMMIT"
PACKAGES: Final = ("components", "feature_repo", "pipelines", "serving")


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


def code_digest() -> str:
    """Return a digest of the Python and TOML files, which differs for uncommitted changes too."""
    root, digest = Path(__file__).parent.parent, hashlib.sha256()
    files = (file for package in PACKAGES for file in (root / package).rglob("*"))
    for file in sorted(file for file in files if file.suffix in (".py", ".toml")):
        digest.update(f"{file.relative_to(root)}\0".encode() + file.read_bytes())
    return digest.hexdigest()
