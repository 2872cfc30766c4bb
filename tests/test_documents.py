"""The documents name files, commands and settings that exist."""

import re
from pathlib import Path

import pytest

from pipelines.settings import Settings
from serving.configuration.settings import ServingSettings

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    file
    for file in ROOT.rglob("*.md")
    if not any(part.startswith(".") for part in file.relative_to(ROOT).parts)
)
FOLDERS = ("components", "feature_repo", "findings", "infra", "pipelines", "serving", "tests")


def _name(document: Path) -> str:
    return str(document.relative_to(ROOT))


documents = pytest.mark.parametrize("document", DOCUMENTS, ids=_name)


def test_the_root_readme_fits_three_minutes() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


@documents
def test_links_lead_to_files(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text())
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (document.parent / link).exists()] == []


@documents
def test_named_paths_exist(document: Path) -> None:
    """A path in backticks is relative to the root, or to the document's own folder."""
    named = re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]+)`", document.read_text())
    missing = [name for name in named if not ((ROOT / name).exists() or (document.parent / name).exists())]
    assert missing == []


@documents
def test_files_in_the_tables_of_a_folder_exist(document: Path) -> None:
    """A table's first cell names files of the document's own folder."""
    cells = re.findall(r"^\| ((?:`[\w./]+`(?:, )?)+) \|", document.read_text(), re.MULTILINE)
    named = [name for cell in cells for name in re.findall(r"`([\w./]+\.(?:py|proto|toml|yaml))`", cell)]
    missing = [name for name in named if not ((ROOT / name).exists() or (document.parent / name).exists())]
    assert missing == []


@documents
def test_make_targets_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"(?:^|`)make ([a-z][a-z-]*)", document.read_text(), re.MULTILINE)
    assert set(named) - targets == set()


@pytest.mark.parametrize("document", [file for file in DOCUMENTS if file.name != "CHANGELOG.md"], ids=_name)
def test_settings_exist(document: Path) -> None:
    """Only a changelog names settings of earlier versions."""
    known = {f"PENCHANT_{name.upper()}" for name in {**ServingSettings.model_fields, **Settings.model_fields}}
    named = re.findall(r"`(PENCHANT_[A-Z_]+[A-Z])\b", document.read_text())
    assert set(named) - known == set()
