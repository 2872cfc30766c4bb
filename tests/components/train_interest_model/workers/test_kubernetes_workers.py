"""The Job and the Service of a training's workers, made by Kubernetes' client in a stand-in of its API."""

import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from kubernetes import client, config

from components.errors import StepError
from components.train_interest_model.workers import kubernetes_workers, pod_start
from components.train_interest_model.workers.job_manifest import FIELDS, LABEL, StepPod
from components.train_interest_model.workers.kubernetes_workers import KubernetesWorkers
from tests.infra.conftest import KUBERNETES, read

POD = StepPod("train-7", "0a1b2c3d-4e5f-6789", "10.0.0.7", "kubeflow", "run-1")
JOB = "penchant-training-0a1b2c3d-4e5f-0"
SHARED = "s3://shop/warehouse/training/run-1-train/shared/0"
# As Kubeflow Pipelines and Argo make a pod, shortened.
STEP: dict[str, Any] = {
    "metadata": {"name": POD.name, "labels": {"pipeline/runid": "run-1"}},
    "spec": {
        "serviceAccountName": "pipeline-runner",
        "nodeSelector": {"pool": "gpu"},
        "activeDeadlineSeconds": 86_400,
        "containers": [
            {"name": "wait", "image": "argoexec"},
            {
                "name": "main",
                "image": "penchant/training:1-gpu",
                "command": ["/var/run/argo/argoexec", "emissary", "--"],
                "env": [
                    {"name": "TF_USE_LEGACY_KERAS", "value": "0"},
                    {"name": "ARGO_TEMPLATE", "value": "{}"},
                    {"name": "TRAINING_POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                ],
                "resources": {"limits": {"memory": "32Gi", "nvidia.com/gpu": "1"}},
                "volumeMounts": [
                    {"name": "stores", "mountPath": "/etc/penchant"},
                    {"name": "var-run-argo", "mountPath": "/var/run/argo"},
                    {
                        "name": "kube-api-access-x",
                        "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
                    },
                ],
            },
        ],
        "volumes": [
            {"name": "stores", "secret": {"secretName": "penchant"}},
            {"name": "var-run-argo", "emptyDir": {}},
            {"name": "kube-api-access-x", "projected": {}},
        ],
    },
}


def pod(phase: str, **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": f"{JOB}-0-x7k2p"}, "status": {"phase": phase, **status}}


class Api(ThreadingHTTPServer):
    """Answers with `answers`, by verb and kind, and keeps the requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[tuple[str, str, Any]] = []
        self.answers: dict[tuple[str, str], tuple[int, Any]] = {
            ("get", "pods"): (200, STEP),
            ("create", "jobs"): (201, {"metadata": {"uid": "job-uid"}}),
            ("get", "jobs"): (200, {"status": {"active": 1}}),
            ("list", "pods"): (200, {"items": [pod("Running"), pod("Running")]}),
        }

    @property
    def rights(self) -> set[tuple[str, str]]:
        """The verbs and kinds of all requests."""
        return {(verb, kind) for verb, kind, _ in self.requests}

    def body(self, verb: str, kind: str) -> Any:
        (body,) = (body for verb_, kind_, body in self.requests if (verb_, kind_) == (verb, kind))
        return body


class _Handler(BaseHTTPRequestHandler):
    server: Api

    def _answer(self) -> None:
        verb = {"GET": "get", "POST": "create", "DELETE": "delete"}[self.command]
        kind, _, name = self.path.split("/namespaces/kubeflow/")[1].partition("?")[0].partition("/")
        if verb == "get" and not name:
            verb = "list"
            assert f"labelSelector=batch.kubernetes.io%2Fjob-name%3D{JOB}" in self.path
        length = int(self.headers.get("Content-Length") or 0)
        self.server.requests.append((verb, kind, json.loads(self.rfile.read(length)) if length else None))
        status, answer = self.server.answers.get((verb, kind), (200, {}))
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    with Api() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        settings = client.Configuration(f"http://127.0.0.1:{server.server_port}")
        set_default = client.Configuration.set_default
        monkeypatch.setattr(config, "load_incluster_config", lambda: set_default(settings))
        monkeypatch.setattr(kubernetes_workers, "_LOOK_S", 0)
        yield server
        server.shutdown()
    client.Configuration.set_default(None)


def test_a_job_of_pods_like_that_of_the_step_is_made_and_deleted(api: Api, tmp_path: Path) -> None:
    workers = KubernetesWorkers(3, POD)
    workers.start(0, SHARED, tmp_path)
    assert workers.failure() == ""
    workers.stop()
    workers.stop()  # there is nothing left to delete

    job = api.body("create", "jobs")
    assert job["metadata"]["name"] == JOB
    (owner,) = job["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("Pod", POD.name, POD.uid)
    spec = job["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 2, 2)
    assert spec["backoffLimit"] == 0
    pod = spec["template"]["spec"]
    assert dict([LABEL]).items() <= spec["template"]["metadata"]["labels"].items()
    for key in ("serviceAccountName", "nodeSelector", "activeDeadlineSeconds"):
        assert pod[key] == STEP["spec"][key]
    assert pod["automountServiceAccountToken"] is False
    assert pod["terminationGracePeriodSeconds"] == 1
    (container,) = pod["containers"]
    main = STEP["spec"]["containers"][1]
    assert (container["image"], container["resources"]) == (main["image"], main["resources"])
    assert container["command"][-2:] == [SHARED, "$(JOB_COMPLETION_INDEX)"]
    assert container["env"] == main["env"][:1]
    assert [mount["name"] for mount in container["volumeMounts"]] == ["stores", "scratch"]
    assert [volume["name"] for volume in pod["volumes"]] == ["stores", "scratch"]
    assert api.body("delete", "jobs") == {"propagationPolicy": "Background"}


def test_the_names_of_the_workers_are_those_that_job_and_service_give(api: Api, tmp_path: Path) -> None:
    workers = KubernetesWorkers(3, POD)
    workers.start(0, SHARED, tmp_path)
    service = api.body("create", "services")
    pod = api.body("create", "jobs")["spec"]["template"]["spec"]
    domain = f"{service['metadata']['name']}.{POD.namespace}.svc:2222"
    assert pod["subdomain"] == service["metadata"]["name"]
    assert workers.hosts(0) == ("10.0.0.7:2222", f"{JOB}-0.{domain}", f"{JOB}-1.{domain}")
    assert service["spec"]["selector"] == {"batch.kubernetes.io/job-name": JOB}
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"]
    assert service["metadata"]["ownerReferences"][0]["uid"] == "job-uid"
    assert set(workers.hosts(1)).isdisjoint(workers.hosts(0)[1:])


def test_a_failed_pod_is_reported_with_the_command_that_says_why(api: Api, tmp_path: Path) -> None:
    workers = KubernetesWorkers(2, POD)
    workers.start(0, SHARED, tmp_path)
    api.answers["get", "jobs"] = (200, {"status": {"failed": 1}})
    reason = f"(kubectl -n kubeflow describe job {JOB} says why)"
    assert workers.failure() == f"a worker of Job {JOB} failed {reason}"
    api.answers["delete", "jobs"] = (404, {})  # somebody has deleted it
    workers.stop()


def test_a_step_without_the_role_says_which_one_it_needs(api: Api, tmp_path: Path) -> None:
    api.answers["create", "jobs"] = (403, {"message": "forbidden"})
    message = r"could not create a Job in namespace kubeflow: .*; .* infra/kubernetes/training-workers$"
    with pytest.raises(StepError, match=message):
        KubernetesWorkers(2, POD).start(0, SHARED, tmp_path)


def test_a_training_goes_on_while_kubernetes_is_busy(
    api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workers = KubernetesWorkers(2, POD)
    workers.start(0, SHARED, tmp_path)
    api.answers["get", "jobs"] = api.answers["delete", "jobs"] = (503, {})
    assert workers.failure() == ""
    workers.stop()
    assert f"Job {JOB} remains until the pod of this step is deleted" in capsys.readouterr().out


UNSCHEDULABLE = [
    {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no GPU is free"}
]
NO_IMAGE = [{"state": {"waiting": {"reason": "ImagePullBackOff"}}}]


@pytest.mark.parametrize(
    ("pods", "reasons"),
    [
        (
            [pod("Running"), pod("Pending", conditions=UNSCHEDULABLE)],
            "-0-x7k2p (Unschedulable: no GPU is free)",
        ),
        (
            [pod("Pending", containerStatuses=NO_IMAGE, conditions=[{"status": "True"}])],
            "-0-x7k2p (ImagePullBackOff); 1 not created yet",
        ),
        ([pod("Pending"), pod("Running")], "-0-x7k2p"),
        ([], "2 not created yet"),
    ],
)
def test_pods_that_wait_are_told_with_the_reason_and_not_for_ever(
    pods: list[Any],
    reasons: str,
    api: Api,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    workers = KubernetesWorkers(3, POD)
    workers.start(0, SHARED, tmp_path)
    api.answers["list", "pods"] = (200, {"items": pods})
    assert workers.failure() == ""
    assert capsys.readouterr().out == ""  # they have not waited for a minute
    monkeypatch.setattr(pod_start, "_REPORT_S", 0)
    assert workers.failure() == ""
    told = capsys.readouterr().out
    assert told.startswith("» waiting for pods, 0 of at most 30 minutes: ")
    assert told.endswith(f"{reasons}\n")
    monkeypatch.setattr(pod_start, "_LIMIT_S", 0)
    with pytest.raises(StepError, match=f"did not start within .*{re.escape(reasons)}; give them nodes"):
        workers.failure()


def test_pods_that_have_started_are_not_followed_any_more(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = KubernetesWorkers(3, POD)
    workers.start(0, SHARED, tmp_path)
    monkeypatch.setattr(pod_start, "_LIMIT_S", 0)
    assert workers.failure() == ""
    api.answers["list", "pods"] = (200, {"items": []})  # as when the training has ended
    assert workers.failure() == ""


def test_a_role_of_an_earlier_version_ends_no_training(
    api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    api.answers["list", "pods"] = (403, {"message": "forbidden"})
    workers = KubernetesWorkers(3, POD)
    workers.start(0, SHARED, tmp_path)
    assert workers.failure() == workers.failure() == ""
    assert capsys.readouterr().out.count("could not list its pods in namespace kubeflow") == 1


def test_the_role_in_the_manifests_allows_what_the_step_does_and_no_more(api: Api, tmp_path: Path) -> None:
    workers = KubernetesWorkers(2, POD)
    workers.start(0, SHARED, tmp_path)
    workers.failure()
    workers.stop()
    role = read(KUBERNETES / "training-workers" / "training-workers.yaml")[0]
    granted = {(verb, kind) for rule in role["rules"] for kind in rule["resources"] for verb in rule["verbs"]}
    assert api.rights == granted


def test_a_step_knows_its_pod_on_kubeflow_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in FIELDS:
        monkeypatch.delenv(variable, raising=False)
    assert StepPod.of_environment() is None
    values = (POD.name, POD.uid, POD.ip, POD.namespace, POD.run_id)
    for variable, value in zip(FIELDS, values, strict=True):
        monkeypatch.setenv(variable, value)
    assert StepPod.of_environment() == POD
