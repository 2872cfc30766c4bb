"""The imports of the source files, and the installed distributions that provide them."""

import ast
import sys
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Final

from packaging.utils import NormalizedName, canonicalize_name

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = ("pipelines", "components", "serving", "feature_repo")
_OWN: Final = {*PACKAGES, "tests"}


def source_files(*packages: str) -> set[Path]:
    return {file for package in packages for file in (ROOT / package).rglob("*.py")}


def import_closure(modules: Iterable[str]) -> set[Path]:
    """Return the project's files that importing `modules` can load, imports inside functions included."""
    files: set[Path] = set()
    pending = [file for module in modules if (file := _own_file(module))]
    while pending:
        file = pending.pop()
        if file not in files:
            files.add(file)
            names = (name for names in _imports(file) for name in names)
            pending += [found for name in names if (found := _own_file(name))]
    return files


def required_distributions(files: Iterable[Path]) -> dict[frozenset[NormalizedName], set[str]]:
    """Map each set of distributions, of which one must be declared, to the imports that need it.

    An import that no installed distribution provides maps from the empty set.
    """
    required: dict[frozenset[NormalizedName], set[str]] = defaultdict(set)
    for file in files:
        for names in _imports(file):
            top = names[0].split(".")[0]
            if top not in _OWN and top not in sys.stdlib_module_names:
                providers = next((_providers()[name] for name in names if name in _providers()), set())
                required[frozenset(providers)].add(f"{file.relative_to(ROOT)}: {names[0]}")
    return dict(required)


@cache
def _imports(file: Path) -> list[list[str]]:
    """Return the possible modules of each import, the longest name first."""
    names: list[str] = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return [_prefixes(name) for name in names]


def _prefixes(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(len(parts), 0, -1)]


def _own_file(module: str) -> Path | None:
    if module.split(".")[0] not in _OWN:
        return None
    path = ROOT.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.exists()), None)


@cache
def _providers() -> dict[str, set[NormalizedName]]:
    """Map each importable module to the distributions that install its file."""
    providers: dict[str, set[NormalizedName]] = defaultdict(set)
    for distribution in distributions():
        name = canonicalize_name(distribution.name)
        for file in distribution.files or []:
            if file.suffix in {".py", ".so", ".pyd"} and ".." not in file.parts:
                parts = [*file.parts[:-1], file.name.split(".")[0]]
                providers[".".join(parts).removesuffix(".__init__")].add(name)
    return providers
