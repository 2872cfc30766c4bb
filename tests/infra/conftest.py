"""Fixtures that read the manifests of infra/, as files and as rendered by kustomize."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
KUBERNETES = INFRA / "kubernetes"
OVERLAYS = ("minimal", "production")

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Overlay:
    """A kustomize overlay."""

    name: str
    folder: Path

    @property
    def settings(self) -> dict[str, str]:
        """The environment of recommender and pipelines: the base settings, overridden by the overlay."""
        files = (KUBERNETES / "base" / "settings.env", self.folder / "settings.env")
        lines = [line for file in files for line in file.read_text().splitlines()]
        settings = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
        assert settings
        return settings

    @property
    def kustomization(self) -> Manifest:
        return read(self.folder / "kustomization.yaml")[0]


@dataclass(frozen=True)
class Rendered:
    """The manifests that `kubectl apply -k` would send."""

    manifests: list[Manifest]

    @property
    def kinds(self) -> set[str]:
        return {manifest["kind"] for manifest in self.manifests}

    def kind(self, kind: str) -> list[Manifest]:
        """The manifests of a kind, at least one: a loop over them must check something."""
        manifests = [manifest for manifest in self.manifests if manifest["kind"] == kind]
        assert manifests, f"no {kind} in the rendered manifests"
        return manifests

    def named(self, kind: str, name: str) -> Manifest:
        (manifest,) = (m for m in self.kind(kind) if m["metadata"]["name"] == name)
        return manifest

    @property
    def pods(self) -> dict[str, Manifest]:
        """Name of a Deployment or CronJob -> its pod template."""
        workloads = self.kind("Deployment") + (self.kind("CronJob") if "CronJob" in self.kinds else [])
        return {
            manifest["metadata"]["name"]: manifest["spec"].get("jobTemplate", manifest)["spec"]["template"]
            for manifest in workloads
        }

    def pods_with(self, labels: dict[str, str]) -> dict[str, Manifest]:
        return {
            name: pod
            for name, pod in self.pods.items()
            if labels.items() <= pod["metadata"]["labels"].items()
        }


def read(file: Path) -> list[Manifest]:
    return [document for document in yaml.safe_load_all(file.read_text()) if document]


def render(folder: Path) -> Rendered:
    kubectl = shutil.which("kubectl")
    if not kubectl:
        pytest.skip("kubectl is not on the path; it renders the manifests")
    rendered = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, check=False)
    assert rendered.returncode == 0, rendered.stderr
    return Rendered([document for document in yaml.safe_load_all(rendered.stdout) if document])


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> Overlay:
    return Overlay(request.param, KUBERNETES / "overlays" / request.param)


@pytest.fixture
def production() -> Overlay:
    return Overlay("production", KUBERNETES / "overlays" / "production")


@pytest.fixture(scope="session")
def renderings() -> dict[str, Rendered]:
    return {name: render(KUBERNETES / "overlays" / name) for name in OVERLAYS}


@pytest.fixture
def rendered(overlay: Overlay, renderings: dict[str, Rendered]) -> Rendered:
    return renderings[overlay.name]
