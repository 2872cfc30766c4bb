"""What a training on several pods makes in Kubernetes: a Job of the workers but the chief, and a Service."""

import os
from dataclasses import dataclass
from typing import Any, Final, Self

from components.train_interest_model.workers.local_workers import FOLLOWER

Manifest = dict[str, Any]

# The pods of a training, that of the step too: the network policy lets only these reach each other.
LABEL: Final = ("penchant/training", "worker")
# Environment variable -> the field of the step's pod that it has.
FIELDS: Final = {
    "TRAINING_POD": "metadata.name",
    "TRAINING_POD_UID": "metadata.uid",
    "TRAINING_POD_IP": "status.podIP",
    "TRAINING_NAMESPACE": "metadata.namespace",
    "TRAINING_RUN_ID": "metadata.labels['pipeline/runid']",
}
PORT: Final = 2222

# The container of a step, and what its pod and the workers' have in common. A limit of the pod's time ends
# workers whose chief was lost before they had met.
_MAIN: Final = "main"
_OF_POD: Final = (
    "serviceAccountName",
    "securityContext",
    "imagePullSecrets",
    "nodeSelector",
    "tolerations",
    "affinity",
    "runtimeClassName",
    "priorityClassName",
    "activeDeadlineSeconds",
)
_OF_CONTAINER: Final = ("image", "imagePullPolicy", "envFrom", "resources", "securityContext")
# Volumes of the step with something in them; the others are Argo's, and the token of the service account.
_VOLUMES: Final = ("secret", "persistentVolumeClaim", "configMap", "csi")
# Without this label Istio adds a container that never ends.
_NO_SIDECAR: Final = {"sidecar.istio.io/inject": "false"}


@dataclass(frozen=True)
class StepPod:
    """The pod in which this step runs."""

    name: str
    uid: str
    ip: str
    namespace: str
    run_id: str  # of the run in Kubeflow: equal in each attempt of the step

    @classmethod
    def of_environment(cls) -> Self | None:
        """Return None outside of a pod of Kubeflow."""
        values = {variable: os.environ.get(variable, "") for variable in FIELDS}
        if not values["TRAINING_POD"]:
            return None
        return cls(*values.values())


def job_manifest(name: str, pod: StepPod, step: Manifest, count: int, shared: str) -> Manifest:
    """Return an Indexed Job of `count` workers, which ends when its first pod fails.

    Args:
        pod, step: the pod of the step, and its manifest; it owns the Job, which is deleted with it.
        shared: the folder in which the workers wait for the chief.
    """
    spec = step["spec"]
    main = next(each for each in spec["containers"] if each["name"] == _MAIN)
    volumes = [volume for volume in spec.get("volumes", []) if any(kind in volume for kind in _VOLUMES)]
    names = {volume["name"] for volume in volumes}
    mounts = [mount for mount in main.get("volumeMounts", []) if mount["name"] in names]
    container = {
        "name": "worker",
        "command": ["python3", "-m", FOLLOWER, shared, "$(JOB_COMPLETION_INDEX)"],
        **{key: main[key] for key in _OF_CONTAINER if key in main},
        "env": [variable for variable in main.get("env", []) if _is_passed_on(variable["name"])],
        "volumeMounts": [*mounts, {"name": "scratch", "mountPath": "/tmp"}],
    }
    template = {
        "metadata": {"labels": {LABEL[0]: LABEL[1], **_NO_SIDECAR}},
        "spec": {
            **{key: spec[key] for key in _OF_POD if key in spec},
            "subdomain": name,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,  # a worker does not end on SIGTERM, see `end_with_step`
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "containers": [container],
            "volumes": [*volumes, {"name": "scratch", "emptyDir": {}}],
        },
    }
    owner = {"apiVersion": "v1", "kind": "Pod", "name": pod.name, "uid": pod.uid}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "ownerReferences": [owner]},
        "spec": {
            "completionMode": "Indexed",
            "completions": count,
            "parallelism": count,
            "backoffLimit": 0,
            "template": template,
        },
    }


def service_manifest(job: str, uid: str) -> Manifest:
    """Return the Service, without an address of its own, that gives the pods of a Job names."""
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": job, "uid": uid}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": job, "ownerReferences": [owner]},
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,  # they look for each other while they start
            "selector": {"batch.kubernetes.io/job-name": job},
            "ports": [{"name": "grpc", "port": PORT}],  # some name servers know no Service without a port
        },
    }


def _is_passed_on(variable: str) -> bool:
    return variable not in FIELDS and not variable.startswith("ARGO_")
