"""The images hold the locked packages of their extra, and no development tools."""

import re
import tomllib
from fnmatch import fnmatch

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pipelines.step_environment import VARIABLES
from tests.infra.conftest import INFRA, ROOT, Rendered

DOCKERFILE = (INFRA / "images" / "python.Dockerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
LOCK = (ROOT / "requirements.lock").read_text()

# Stage -> its instructions.
STAGES = dict(re.findall(r"^FROM \S+ AS (\S+)\n(.*?)(?=^FROM|\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL))


def copied_sources() -> list[str]:
    """Return the paths that the images copy from the working tree."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in requirements}


def test_copied_files_exist_and_are_in_the_build_context() -> None:
    rules = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert copied_sources()
    for source in copied_sources():
        assert (ROOT / source).exists(), source
        assert any(fnmatch(source, rule) for rule in rules), source


def test_every_package_of_the_project_is_copied() -> None:
    patterns = PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    assert {pattern.rstrip("*") for pattern in patterns} <= set(copied_sources())


def test_base_images_are_pinned() -> None:
    assert re.search(r"^ARG PYTHON=3\.\d+\.\d+-slim-\w+$", DOCKERFILE, re.MULTILINE)
    bases = set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))
    assert bases - STAGES.keys() == {"python:${PYTHON}"}


def test_images_run_as_the_user_of_the_manifests(rendered: Rendered) -> None:
    user = re.search(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)
    assert user
    for pod in rendered.pods.values():
        context = pod["spec"]["securityContext"]
        assert (str(context["runAsUser"]), str(context["runAsGroup"])) == user.groups()


@pytest.mark.parametrize(
    ("stage", "extras"),
    [
        ("serving-dependencies", {"serving", "s3"}),
        ("training-dependencies", {"training", "s3"}),
        ("gpu-dependencies", {"gpu"}),
        ("spark-dependencies", {"spark"}),
    ],
)
def test_dependencies_of_an_image_are_those_of_its_extras(stage: str, extras: set[str]) -> None:
    assert set(re.findall(r"--extra (\S+)", STAGES[stage])) == extras


@pytest.mark.parametrize(
    ("image", "packages"),
    [
        ("recommender", "serving-packages"),
        ("training", "training-packages"),
        ("training-gpu", "gpu-packages"),
        ("training-spark", "spark-packages"),
    ],
)
def test_an_image_holds_the_packages_of_its_own_size(image: str, packages: str) -> None:
    dependencies = packages.replace("-packages", "-dependencies")
    assert f"COPY --from={packages} " in STAGES[image]
    assert f"FROM {dependencies} AS {packages}" in DOCKERFILE


def test_every_installed_package_has_a_hash() -> None:
    """Except the project's own wheel, which an earlier stage builds."""
    commands = re.findall(r"uv (?:pip install|build)(?:.|\\\n)+", DOCKERFILE)
    assert len(commands) == 9
    for command in commands:
        own_wheel = "--no-deps /wheel/*.whl" in command
        assert own_wheel or ("--require-hashes" in command and "constraint requirements.lock" in command)


def test_every_package_of_the_lock_has_a_version_and_a_hash() -> None:
    packages = re.findall(r"^\S.*(?:\n    .*)*", LOCK, re.MULTILINE)
    assert len(packages) > 200
    for package in packages:
        assert re.match(r"[a-z0-9.-]+==\S+ ", package), package
        assert "--hash=sha256:" in package, package


def test_the_lock_lists_no_address_and_no_path() -> None:
    assert not re.search(r"://|^-|^\s*--(?!hash)|/", LOCK, re.MULTILINE)


def test_every_extra_is_locked() -> None:
    direct = names([line for lines in EXTRAS.values() for line in lines]) - {"penchant"}
    locked = set(re.findall(r"^([a-z0-9.-]+)==", LOCK, re.MULTILINE))
    assert direct | names(PROJECT["project"]["dependencies"]) <= locked


@pytest.mark.parametrize("extra", ["serving", "training", "s3", "gpu", "spark"])
def test_development_tools_are_in_no_extra_of_an_image(extra: str) -> None:
    assert names(EXTRAS[extra]).isdisjoint(names(EXTRAS["dev"]) - {"penchant"})


@pytest.mark.parametrize("stage", ["training-packages", "gpu-packages", "spark-packages"])
def test_steps_that_run_optimized_find_their_bytecode(stage: str) -> None:
    """Nothing may write bytecode in a running container."""
    assert any(variables.get("PYTHONOPTIMIZE") for variables in VARIABLES.values())
    assert "python -O -m components.bytecode" in STAGES[stage].replace('"', "").replace(
        "$VIRTUAL_ENV/bin/", ""
    )
