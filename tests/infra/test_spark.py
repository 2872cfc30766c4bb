"""The Spark Connect server: hardened as every other pod, and at the address of the runbook."""

from typing import Any

import pytest

from components.compute.address import check_address
from tests.infra.conftest import INFRA, KUBERNETES, read

FOLDER = KUBERNETES / "spark"


@pytest.fixture(scope="module")
def manifests() -> dict[str, Any]:
    return {manifest["kind"]: manifest for manifest in read(FOLDER / "spark-connect.yaml")}


def test_the_kustomization_lists_the_manifests() -> None:
    assert read(FOLDER / "kustomization.yaml")[0]["resources"] == ["spark-connect.yaml"]


def test_service_policy_and_pod_agree(manifests: dict[str, Any]) -> None:
    pod = manifests["Deployment"]["spec"]["template"]
    labels, (container,) = pod["metadata"]["labels"], pod["spec"]["containers"]
    (port,), (open_port,) = container["ports"], manifests["NetworkPolicy"]["spec"]["ingress"][0]["ports"]
    assert manifests["Service"]["spec"]["selector"] == labels
    assert manifests["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == labels
    assert port["containerPort"] == open_port["port"] == 15002
    assert pod["spec"]["serviceAccountName"] == manifests["ServiceAccount"]["metadata"]["name"]


def test_the_pod_is_restricted(manifests: dict[str, Any]) -> None:
    pod = manifests["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["readOnlyRootFilesystem"]


def test_the_runbook_names_its_address(manifests: dict[str, Any]) -> None:
    name = manifests["Service"]["metadata"]["name"]
    address = f"sc://{name}.penchant.svc.cluster.local:15002"
    assert check_address(address) == address
    assert f"PENCHANT_COMPUTE={address}" in (INFRA / "README.md").read_text()
