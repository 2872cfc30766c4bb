"""The rights and the network of a training's workers are what the step asks for, and what it labels."""

from typing import Any

import pytest

from components.train_interest_model.workers.job_manifest import LABEL
from tests.infra.conftest import KUBERNETES, read

FOLDER = KUBERNETES / "training-workers"


@pytest.fixture(scope="module")
def manifests() -> dict[str, Any]:
    return {manifest["kind"]: manifest for manifest in read(FOLDER / "training-workers.yaml")}


def test_the_kustomization_lists_the_manifests() -> None:
    assert read(FOLDER / "kustomization.yaml")[0]["resources"] == ["training-workers.yaml"]


def test_the_account_of_the_steps_has_the_role(manifests: dict[str, Any]) -> None:
    binding = manifests["RoleBinding"]
    assert binding["roleRef"]["name"] == manifests["Role"]["metadata"]["name"]
    assert [subject["name"] for subject in binding["subjects"]] == ["pipeline-runner"]


def test_only_workers_reach_workers(manifests: dict[str, Any]) -> None:
    policy = manifests["NetworkPolicy"]["spec"]
    workers = {"matchLabels": dict([LABEL])}
    assert policy["policyTypes"] == ["Ingress"]
    assert policy["podSelector"] == workers
    assert policy["ingress"] == [{"from": [{"podSelector": workers}]}]
