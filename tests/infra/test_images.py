"""The image holds what the lock pins, what runs, and nothing of the tools of development."""

import importlib.metadata
import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from tests.infra.conftest import INFRA, ROOT, Rendered

IMAGES = INFRA / "images"
DOCKERFILE = (IMAGES / "python.Dockerfile").read_text()


def pinned(file: Path) -> dict[NormalizedName, str]:
    """Package -> version, of the lines name==version."""
    requirements = [Requirement(line) for line in file.read_text().splitlines() if line and line[0] != "#"]
    return {canonicalize_name(r.name): str(r.specifier).removeprefix("==") for r in requirements}


LOCK = pinned(ROOT / "requirements.lock")


def copied() -> list[str]:
    """What the build takes from the tree."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


def test_what_is_copied_is_there_and_in_the_build_context() -> None:
    rules = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for source in copied():
        assert (ROOT / source).exists(), source
        assert any(fnmatch(source, rule) for rule in rules), source


def test_every_package_of_the_project_is_copied() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["packages"]["find"]["include"]
    assert {pattern.rstrip("*") for pattern in patterns} <= set(copied())


def test_base_images_are_pinned() -> None:
    assert re.search(r"^ARG PYTHON=3\.\d+\.\d+-slim-\w+$", DOCKERFILE, re.MULTILINE)
    bases = set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", DOCKERFILE, re.MULTILINE))
    assert bases - stages == {"python:${PYTHON}"}


def test_it_runs_as_the_user_of_the_manifests(rendered: Rendered) -> None:
    user = re.search(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)
    assert user
    for pod in rendered.pods.values():
        context = pod["spec"]["securityContext"]
        assert (str(context["runAsUser"]), str(context["runAsGroup"])) == user.groups()


def test_packages_of_the_cluster_do_not_contradict_the_lock() -> None:
    extra = pinned(IMAGES / "s3.txt")
    assert extra.keys().isdisjoint(LOCK), "a package in both files"
    # s3fs pins fsspec to its own version.
    assert extra[canonicalize_name("s3fs")] == LOCK[canonicalize_name("fsspec")]


def test_gpu_libraries_are_those_that_tensorflow_asks_for() -> None:
    asked = {
        canonicalize_name(requirement.name): requirement.specifier
        for requirement in map(Requirement, importlib.metadata.requires("tensorflow") or [])
        if requirement.marker
        and requirement.marker.evaluate({"extra": "and-cuda"})
        and not requirement.marker.evaluate({"extra": ""})
    }
    versions = {name: version for name, version in pinned(IMAGES / "gpu.txt").items() if version}
    assert versions.keys() == asked.keys()
    assert all(asked[name].contains(version) for name, version in versions.items())


@pytest.mark.parametrize("tool", ["pytest", "ruff", "hypothesis", "grpcio-tools", "import-linter"])
def test_tools_of_development_are_no_dependency_of_what_runs(tool: str) -> None:
    """So installing pyproject.toml with the lock as constraints leaves them out."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert tool in LOCK
    assert tool not in {canonicalize_name(Requirement(line).name) for line in project["dependencies"]}
    assert "--requirement pyproject.toml" in DOCKERFILE
    assert "--constraint requirements.lock" in DOCKERFILE
    assert "--extra dev" not in DOCKERFILE
