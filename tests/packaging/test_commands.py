"""`make help`, the hooks of pre-commit and the version agree with what they describe."""

import re
from importlib.metadata import version

import yaml

from tests.packaging.environments import run
from tests.packaging.imports import ROOT
from tests.packaging.test_dependencies import PROJECT

MAKEFILE = (ROOT / "Makefile").read_text()


def test_make_help_lists_every_command() -> None:
    (commands,) = re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
    listed = re.findall(r"^  make (\S+) +\S", run("make", "help", folder=ROOT), re.MULTILINE)
    assert sorted(listed) == sorted(commands.split())


def test_hooks_run_the_checks_of_make_check() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    hooks = {hook["entry"].split()[0].rpartition("/")[2] for hook in repository["hooks"]}
    (recipe,) = re.findall(r"^check: .+\n((?:\t.+\n)+)", MAKEFILE, re.MULTILINE)
    assert hooks == set(re.findall(r"\$\(BIN\)/(\S+)", recipe))


def test_makefile_and_images_use_the_same_uv() -> None:
    dockerfile = (ROOT / "infra" / "images" / "python.Dockerfile").read_text()
    versions = re.findall(r"\buv==(\S+)", MAKEFILE + dockerfile)
    assert len(versions) == 2
    assert len(set(versions)) == 1


def test_the_installed_version_is_that_of_the_project_file() -> None:
    assert version("penchant") == PROJECT["version"]
