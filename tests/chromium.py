"""Opens a page in headless Chromium."""

import shutil
import subprocess
from pathlib import Path

import pytest


def rendered_html(page: Path) -> str:
    """Return the document that Chromium builds from a file; skips the test where Chromium is missing."""
    chromium = shutil.which("chromium")
    if not chromium:
        pytest.skip("chromium is not on the path: install Debian's package `chromium`")
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", page.as_uri()]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return result.stdout
