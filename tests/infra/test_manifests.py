"""The manifests as rendered: what names something else names something that is there."""

import re
from itertools import chain
from typing import Any

import pytest

from tests.infra.conftest import Manifest, Overlay, Rendered

# Kept out of the tree; infra/README.md says how it is made.
SECRET = "penchant"


def containers(pod: Manifest) -> list[Any]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def ports(pod: Manifest) -> dict[str, int]:
    return {port["name"]: port["containerPort"] for c in containers(pod) for port in c.get("ports", [])}


def test_every_selector_finds_a_pod(rendered: Rendered) -> None:
    for manifest in rendered.kind("Deployment", "PodDisruptionBudget"):
        assert rendered.pods_with(manifest["spec"]["selector"]["matchLabels"]), manifest["metadata"]["name"]
    for service in rendered.kind("Service"):
        assert len(rendered.pods_with(service["spec"]["selector"])) == 1, service["metadata"]["name"]
    for policy in rendered.kind("NetworkPolicy"):
        labels = policy["spec"]["podSelector"].get("matchLabels", {})
        assert rendered.pods_with(labels), policy["metadata"]["name"]


def test_the_autoscaler_scales_a_deployment_that_does_not_fix_its_replicas(rendered: Rendered) -> None:
    for scaler in rendered.kind("HorizontalPodAutoscaler"):
        deployment = rendered.named("Deployment", scaler["spec"]["scaleTargetRef"]["name"])
        assert "replicas" not in deployment["spec"]
        assert all("cpu" in c["resources"]["requests"] for c in containers(rendered.pods["recommender"]))


def test_services_and_probes_use_ports_that_are_open(rendered: Rendered) -> None:
    for service in rendered.kind("Service"):
        (pod,) = rendered.pods_with(service["spec"]["selector"]).values()
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports(pod).keys()
    for name, pod in rendered.pods.items():
        probes = [c[probe] for c in containers(pod) for probe in c if probe.endswith("Probe")]
        for probe in probes:
            port = probe.get("grpc", probe.get("httpGet"))["port"]
            assert port in {*ports(pod), *ports(pod).values()}, name


def test_both_servers_are_ready_by_their_grpc_health(rendered: Rendered) -> None:
    for name in ("recommender", "model-server"):
        (container,) = containers(rendered.pods[name])
        assert container["readinessProbe"]["grpc"]["port"] == ports(rendered.pods[name])["grpc"]


def test_ports_are_those_of_the_settings(overlay: Overlay, rendered: Rendered) -> None:
    settings, recommender = overlay.settings, rendered.pods["recommender"]
    assert ports(recommender) == {
        "grpc": int(settings["PENCHANT_PORT"]),
        "metrics": int(settings["PENCHANT_METRICS_PORT"]),
    }
    model_server = rendered.named("Service", "model-server")
    host = f"model-server.{model_server['metadata']['namespace']}.svc.cluster.local"
    assert settings["PENCHANT_MODEL_SERVER"] == f"{host}:{model_server['spec']['ports'][0]['port']}"


def test_the_model_server_listens_where_its_ports_say(rendered: Rendered) -> None:
    pod = rendered.pods["model-server"]
    (container,) = containers(pod)
    assert {f"--port={ports(pod)['grpc']}", f"--rest_api_port={ports(pod)['rest']}"} <= set(container["args"])


def test_network_policies_open_ports_that_are_there(rendered: Rendered) -> None:
    for policy in rendered.kind("NetworkPolicy"):
        pods = rendered.pods_with(policy["spec"]["podSelector"].get("matchLabels", {}))
        known = set(chain.from_iterable(ports(pod).values() for pod in pods.values()))
        opened = {port["port"] for rule in policy["spec"].get("ingress", []) for port in rule["ports"]}
        assert opened <= known, policy["metadata"]["name"]


@pytest.mark.parametrize(
    ("server", "clients"),
    [("model-server", {"recommender", "console", "training"}), ("recommender", {"console"})],
)
def test_whoever_asks_a_server_is_let_in(server: str, clients: set[str], rendered: Rendered) -> None:
    policy = rendered.named("NetworkPolicy", server)
    admitted = [
        source["podSelector"]["matchLabels"]
        for rule in policy["spec"]["ingress"]
        for source in rule["from"]
        if "podSelector" in source
    ]
    let_in = {name for labels in admitted for name in rendered.pods_with(labels)}
    assert clients & rendered.pods.keys() <= let_in


def test_every_mount_has_its_volume_and_every_volume_its_source(rendered: Rendered) -> None:
    known = {(m["kind"], m["metadata"]["name"]) for m in rendered.manifests} | {("Secret", SECRET)}
    for name, pod in rendered.pods.items():
        volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        mounts = {mount["name"] for c in containers(pod) for mount in c["volumeMounts"]}
        assert mounts == volumes.keys(), name
        for volume in volumes.values():
            assert len(volume) == 2, f"{name}: {volume} has not one source"
            if claim := volume.get("persistentVolumeClaim"):
                assert ("PersistentVolumeClaim", claim["claimName"]) in known
            if config := volume.get("configMap"):
                assert ("ConfigMap", config["name"]) in known
            if secret := volume.get("secret"):
                assert ("Secret", secret["secretName"]) in known
        for source in chain.from_iterable(c.get("envFrom", []) for c in containers(pod)):
            assert ("ConfigMap", source["configMapRef"]["name"]) in known


def test_every_image_is_pinned(rendered: Rendered) -> None:
    images = {c["image"] for pod in rendered.pods.values() for c in containers(pod)}
    assert {image.split(":")[0] for image in images} == {
        "penchant/recommender",
        "penchant/training",
        "tensorflow/serving",
    }
    for image in images:
        assert re.fullmatch(r"[\w/]+:\d+\.\d+\.\d+", image), image


def test_pods_keep_to_the_restricted_standard(rendered: Rendered) -> None:
    for name, pod in rendered.pods.items():
        context = pod["spec"]["securityContext"]
        assert context["runAsNonRoot"], name
        assert context["runAsUser"] > 0, name
        assert context["seccompProfile"]["type"] == "RuntimeDefault", name
        assert pod["spec"]["automountServiceAccountToken"] is False, name
        for container in containers(pod):
            inner = container["securityContext"]
            assert inner["allowPrivilegeEscalation"] is False, name
            assert inner["readOnlyRootFilesystem"] is True, name
            assert inner["capabilities"]["drop"] == ["ALL"], name
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys(), name
            assert "memory" in container["resources"]["limits"], name


def test_no_pod_is_given_variables_that_kubernetes_makes_up(rendered: Rendered) -> None:
    """A Service called penchant-… would otherwise set PENCHANT_…_PORT=tcp://…"""
    assert all(pod["spec"]["enableServiceLinks"] is False for pod in rendered.pods.values())


def test_no_secret_is_in_the_tree(rendered: Rendered) -> None:
    assert rendered.kind("Secret") == []
    variables = [v for pod in rendered.pods.values() for c in containers(pod) for v in c.get("env", [])]
    for variable in variables:
        assert "value" not in variable, variable
        assert variable["valueFrom"]["secretKeyRef"]["name"] == SECRET


@pytest.mark.parametrize("workload", ["recommender", "console"])
def test_whoever_opens_a_store_in_production_has_the_secret(
    workload: str, renderings: dict[str, Rendered]
) -> None:
    (container,) = containers(renderings["production"].pods[workload])
    assert {"name": "secret", "mountPath": "/etc/penchant", "readOnly": True} in container["volumeMounts"]


def test_a_minimal_cluster_shares_one_home(renderings: dict[str, Rendered]) -> None:
    for name, pod in renderings["minimal"].pods.items():
        claims = [v for v in pod["spec"]["volumes"] if v["name"] == "home"]
        assert claims == [{"name": "home", "persistentVolumeClaim": {"claimName": "home"}}], name
