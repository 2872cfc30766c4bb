"""The manifests of infra/, read as written and as kustomize renders them."""

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
    """One set-up of the cluster."""

    name: str
    folder: Path

    @property
    def settings(self) -> dict[str, str]:
        """The environment of recommender and pipelines: the base's, overridden by the overlay's."""
        files = (KUBERNETES / "base" / "settings.env", self.folder / "settings.env")
        lines = [line for file in files for line in file.read_text().splitlines()]
        return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))

    @property
    def kustomization(self) -> Manifest:
        return read(self.folder / "kustomization.yaml")[0]


@dataclass(frozen=True)
class Rendered:
    """What `kubectl apply -k` would send."""

    manifests: list[Manifest]

    def kind(self, *kinds: str) -> list[Manifest]:
        return [manifest for manifest in self.manifests if manifest["kind"] in kinds]

    def named(self, kind: str, name: str) -> Manifest:
        (found,) = (m for m in self.kind(kind) if m["metadata"]["name"] == name)
        return found

    @property
    def pods(self) -> dict[str, Manifest]:
        """Name of a workload -> its pod template."""
        workloads = self.kind("Deployment", "CronJob")
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
        pytest.skip("kubectl is not on PATH: it renders the manifests")
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
