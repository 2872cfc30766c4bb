"""Environments made from the project's wheel and one extra, with the versions and hashes of the lock."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from packaging.utils import canonicalize_name

from tests.packaging.imports import ROOT

# Size -> its extra and the module that users of this size import.
SIZES: Final = {
    "client": ("", "serving.client"),
    "serving": ("serving", "serving.server.__main__"),
    "training": ("training", "pipelines.training_pipeline"),
}

_NAMES: Final = "import importlib.metadata as m, json; print(json.dumps([d.name for d in m.distributions()]))"
_IMPORT_SECONDS: Final = """
import sys, time
start = time.perf_counter()
__import__(sys.argv[1])
print(time.perf_counter() - start)
"""
_TRIES: Final = 3


@dataclass(frozen=True)
class Environment:
    """A virtual environment; its processes see none of the packages outside of it."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @cached_property
    def packages(self) -> set[str]:
        return {canonicalize_name(name) for name in json.loads(self.run("-c", _NAMES))}

    @property
    def megabytes(self) -> float:
        """The size of the installed packages."""
        files = self.folder.glob("lib/*/site-packages/**/*")
        return sum(file.stat().st_size for file in files if file.is_file()) / 1e6

    def import_seconds(self, module: str) -> float:
        """Return the shortest of a few imports, each in a new process."""
        return min(float(self.run("-c", _IMPORT_SECONDS, module)) for _ in range(_TRIES))

    def run(self, *arguments: str) -> str:
        """Return what Python prints."""
        return run(self.python, *arguments, environment=self.variables(), folder=self.folder)

    def variables(self, **more: str) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **more}


def build_wheel(folder: Path) -> Path:
    """Build the project's wheel with this environment's setuptools; needs no network.

    The sources are copied, because setuptools writes into the folder that it builds.
    """
    source = folder / "source"
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for package in ("pipelines", "components", "serving", "feature_repo", "tests"):
        shutil.copytree(ROOT / package, source / package, ignore=ignored)
    for file in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / file, source / file)
    run(
        _uv(),
        "build",
        "--wheel",
        "--no-build-isolation",
        "--python",
        sys.executable,
        "--out-dir",
        folder,
        source,
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(folder: Path, wheel: Path, extra: str, compile_bytecode: bool = False) -> Environment:
    """Install the wheel and the locked packages of its extra into a new environment."""
    environment = Environment(folder)
    options = ["--python", str(environment.python), *(["--compile-bytecode"] if compile_bytecode else [])]
    requirements = ["--require-hashes", "--requirement", f"{ROOT}/pyproject.toml"]
    requirements += ["--constraint", f"{ROOT}/requirements.lock", *(["--extra", extra] if extra else [])]
    run(_uv(), "venv", "--python", sys.executable, folder)
    run(_uv(), "pip", "install", *options, *requirements)
    run(_uv(), "pip", "install", *options, "--no-deps", wheel)
    return environment


def run(*command: str | Path, environment: dict[str, str] | None = None, folder: Path | None = None) -> str:
    """Return the output of a command; raises AssertionError with its messages when it fails."""
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
    return done.stdout


def _uv() -> str:
    """Return the uv that `make` uses."""
    found = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    assert found, "uv is neither on PATH nor in this environment: `make` installs it"
    return found
