"""The rendered manifests: every reference has its target, and every pod keeps the security rules."""

import re
from itertools import chain
from typing import Any

import pytest

from tests.infra.conftest import Manifest, Overlay, Rendered

# Not in the repository; infra/README.md shows how to create it.
SECRET = "penchant"


def containers(pod: Manifest) -> list[Any]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def ports(pod: Manifest) -> dict[str, int]:
    return {port["name"]: port["containerPort"] for c in containers(pod) for port in c.get("ports", [])}


def test_every_selector_finds_a_pod(rendered: Rendered) -> None:
    for deployment in rendered.kind("Deployment"):
        labels = deployment["spec"]["selector"]["matchLabels"]
        assert rendered.pods_with(labels), deployment["metadata"]["name"]
    for service in rendered.kind("Service"):
        assert len(rendered.pods_with(service["spec"]["selector"])) == 1, service["metadata"]["name"]
    for policy in rendered.kind("NetworkPolicy"):
        labels = policy["spec"]["podSelector"].get("matchLabels", {})
        assert rendered.pods_with(labels), policy["metadata"]["name"]


def test_the_autoscaler_scales_a_deployment_without_fixed_replicas(renderings: dict[str, Rendered]) -> None:
    production = renderings["production"]
    for scaler in production.kind("HorizontalPodAutoscaler"):
        name = scaler["spec"]["scaleTargetRef"]["name"]
        assert "replicas" not in production.named("Deployment", name)["spec"]
        # Its metric is a share of the requested CPU.
        assert all("cpu" in c["resources"]["requests"] for c in containers(production.pods[name]))


def test_the_disruption_budget_finds_pods(renderings: dict[str, Rendered]) -> None:
    production = renderings["production"]
    for budget in production.kind("PodDisruptionBudget"):
        assert production.pods_with(budget["spec"]["selector"]["matchLabels"])


def test_one_node_has_no_autoscaler_and_no_disruption_budget(renderings: dict[str, Rendered]) -> None:
    assert {"HorizontalPodAutoscaler", "PodDisruptionBudget"}.isdisjoint(renderings["minimal"].kinds)


def test_services_and_probes_use_ports_of_their_pods(rendered: Rendered) -> None:
    for service in rendered.kind("Service"):
        (pod,) = rendered.pods_with(service["spec"]["selector"]).values()
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports(pod).keys()
    for name, pod in rendered.pods.items():
        probes = [c[probe] for c in containers(pod) for probe in c if probe.endswith("Probe")]
        assert bool(probes) == bool(ports(pod)), name
        for probe in probes:
            port = probe.get("grpc", probe.get("httpGet"))["port"]
            assert port in {*ports(pod), *ports(pod).values()}, name


def test_readiness_of_both_servers_is_their_grpc_health(rendered: Rendered) -> None:
    for name in ("recommender", "model-server"):
        (container,) = containers(rendered.pods[name])
        assert container["readinessProbe"]["grpc"]["port"] == ports(rendered.pods[name])["grpc"]


def test_ports_and_addresses_equal_the_settings(overlay: Overlay, rendered: Rendered) -> None:
    settings, recommender = overlay.settings, rendered.pods["recommender"]
    assert ports(recommender) == {
        "grpc": int(settings["PENCHANT_PORT"]),
        "metrics": int(settings["PENCHANT_METRICS_PORT"]),
    }
    model_server = rendered.named("Service", "model-server")
    host = f"model-server.{model_server['metadata']['namespace']}.svc.cluster.local"
    assert settings["PENCHANT_MODEL_SERVER"] == f"{host}:{model_server['spec']['ports'][0]['port']}"


def test_the_model_server_listens_on_its_container_ports(rendered: Rendered) -> None:
    pod = rendered.pods["model-server"]
    (container,) = containers(pod)
    assert {f"--port={ports(pod)['grpc']}", f"--rest_api_port={ports(pod)['rest']}"} <= set(container["args"])


def test_network_policies_open_ports_of_their_pods(rendered: Rendered) -> None:
    for policy in rendered.kind("NetworkPolicy"):
        pods = rendered.pods_with(policy["spec"]["podSelector"].get("matchLabels", {}))
        existing = set(chain.from_iterable(ports(pod).values() for pod in pods.values()))
        opened = {port["port"] for rule in policy["spec"].get("ingress", []) for port in rule["ports"]}
        assert opened <= existing, policy["metadata"]["name"]


@pytest.mark.parametrize(
    ("server", "clients"),
    [("model-server", {"recommender", "console", "training"}), ("recommender", {"console"})],
)
def test_network_policies_admit_the_clients(server: str, clients: set[str], rendered: Rendered) -> None:
    policy = rendered.named("NetworkPolicy", server)
    admitted = [
        source["podSelector"]["matchLabels"]
        for rule in policy["spec"]["ingress"]
        for source in rule["from"]
        if "podSelector" in source
    ]
    admitted_pods = {name for labels in admitted for name in rendered.pods_with(labels)}
    assert clients & rendered.pods.keys()
    assert clients & rendered.pods.keys() <= admitted_pods


def test_every_mount_has_its_volume_and_every_volume_its_source(rendered: Rendered) -> None:
    existing = {(m["kind"], m["metadata"]["name"]) for m in rendered.manifests} | {("Secret", SECRET)}
    for name, pod in rendered.pods.items():
        volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        mounts = {mount["name"] for c in containers(pod) for mount in c["volumeMounts"]}
        assert mounts == volumes.keys(), name
        for volume in volumes.values():
            assert len(volume) == 2, f"{name}: {volume} needs exactly one source"
            if claim := volume.get("persistentVolumeClaim"):
                assert ("PersistentVolumeClaim", claim["claimName"]) in existing
            if config := volume.get("configMap"):
                assert ("ConfigMap", config["name"]) in existing
            if secret := volume.get("secret"):
                assert ("Secret", secret["secretName"]) in existing
        for source in chain.from_iterable(c.get("envFrom", []) for c in containers(pod)):
            assert ("ConfigMap", source["configMapRef"]["name"]) in existing


def test_every_image_is_pinned(rendered: Rendered) -> None:
    images = {c["image"] for pod in rendered.pods.values() for c in containers(pod)}
    assert {image.split(":")[0] for image in images} == {
        "penchant/recommender",
        "penchant/training",
        "tensorflow/serving",
    }
    for image in images:
        assert re.fullmatch(r"[\w/]+:\d+\.\d+\.\d+", image), image


def test_pods_meet_the_restricted_pod_security_standard(rendered: Rendered) -> None:
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


def test_kubernetes_adds_no_service_variables_to_pods(rendered: Rendered) -> None:
    """For a Service called penchant-… it would set PENCHANT_…_PORT, which is not a setting."""
    assert all(pod["spec"]["enableServiceLinks"] is False for pod in rendered.pods.values())


def test_no_secret_is_in_the_repository(rendered: Rendered) -> None:
    assert "Secret" not in rendered.kinds
    variables = [v for pod in rendered.pods.values() for c in containers(pod) for v in c.get("env", [])]
    for variable in variables:
        assert "value" not in variable, variable
        assert variable["valueFrom"]["secretKeyRef"]["name"] == SECRET


@pytest.mark.parametrize("workload", ["recommender", "console"])
def test_pods_that_open_stores_in_production_mount_the_secret(
    workload: str, renderings: dict[str, Rendered]
) -> None:
    secret = {"name": "secret", "mountPath": "/etc/penchant", "readOnly": True}
    mounts = [container["volumeMounts"] for container in containers(renderings["production"].pods[workload])]
    assert mounts
    assert all(secret in mount for mount in mounts)


def test_all_pods_of_the_minimal_overlay_share_one_home(renderings: dict[str, Rendered]) -> None:
    for name, pod in renderings["minimal"].pods.items():
        claims = [v for v in pod["spec"]["volumes"] if v["name"] == "home"]
        assert claims == [{"name": "home", "persistentVolumeClaim": {"claimName": "home"}}], name
