"""Workers that are pods of one Kubernetes Job, beside the pod of the step, in which the chief runs.

The Job is an Indexed Job of Kubernetes itself: TFJob belongs to version 1 of Kubeflow's training operator,
which is not developed further, and Kubeflow Trainer 2 has no runtime for TensorFlow's workers.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from components.errors import StepError
from components.progress import report
from components.train_interest_model.workers.job_manifest import PORT, StepPod, job_manifest, service_manifest
from components.train_interest_model.workers.pod_start import PodStart

_LOOK_S: Final = 2.0
# Statuses of HTTP.
_FORBIDDEN: Final = 403
_GONE: Final = 404
_BUSY: Final = (429, 500, 502, 503, 504)


class Unanswered(StepError):
    """Kubernetes gave no answer, or is too busy to."""


class Forbidden(StepError):
    """The service account of the step may not do this."""


class KubernetesWorkers:
    """The workers beside the chief: pods with the image, resources and secrets of the step's pod."""

    def __init__(self, count: int, pod: StepPod) -> None:
        """`count`: all workers, the chief too."""
        from kubernetes import client, config

        config.load_incluster_config()
        self._core, self._batch = client.CoreV1Api(), client.BatchV1Api()
        self._count, self._pod = count, pod
        self._job, self._look_at = "", 0.0
        self._start: PodStart | None = None

    def hosts(self, attempt: int) -> tuple[str, ...]:
        """Return host:port of each: the address of the step's pod, and the names of the Job's pods."""
        job, ip = self._name(attempt), self._pod.ip
        domain = f"{job}.{self._pod.namespace}.svc"
        others = [f"{job}-{number}.{domain}:{PORT}" for number in range(self._count - 1)]
        return (f"[{ip}]:{PORT}" if ":" in ip else f"{ip}:{PORT}", *others)

    def start(self, attempt: int, shared: str, folder: Path) -> None:
        """Create the Job, and the Service that gives its pods names; see `job_manifest`.

        Raises:
            StepError: Kubernetes refuses.
        """
        name, namespace = self._name(attempt), self._pod.namespace
        step = self._answer("read its own pod", self._core.read_namespaced_pod, self._pod.name, namespace)
        job = job_manifest(name, self._pod, step, self._count - 1, shared)
        created = self._answer("create a Job", self._batch.create_namespaced_job, namespace, job)
        self._job, self._start = name, PodStart(self._count - 1)
        service = service_manifest(name, created["metadata"]["uid"])
        self._answer("create a Service", self._core.create_namespaced_service, namespace, service)

    def failure(self) -> str:
        """Return how the Job has failed, "" if it has not; Kubernetes is asked every other second.

        Raises:
            StepError: Kubernetes refuses, or pods have waited too long for their start.
        """
        if not self._job or time.monotonic() < self._look_at:
            return ""
        self._look_at = time.monotonic() + _LOOK_S
        job, namespace = self._job, self._pod.namespace
        try:
            read = self._answer("read its Job", self._batch.read_namespaced_job, job, namespace)
            if self._start and not read.get("status", {}).get("failed"):
                self._check_start(self._start)
        except Unanswered:  # it is asked again, and a chief that has lost a worker ends by itself
            return ""
        if not read.get("status", {}).get("failed"):
            return ""
        return f"a worker of Job {job} failed (kubectl -n {namespace} describe job {job} says why)"

    def _check_start(self, start: PodStart) -> None:
        """Follow the pods until all have started; a role of an earlier version does not allow it."""
        pods, selector = self._core.list_namespaced_pod, f"batch.kubernetes.io/job-name={self._job}"
        try:
            read = self._answer("list its pods", pods, self._pod.namespace, label_selector=selector)
            has_started = start.check(read["items"])
        except Forbidden as error:
            report(f"{error}. Without it, nothing tells what pods wait for")
            has_started = True
        if has_started:
            self._start = None

    def stop(self) -> None:
        """Delete the Job, and with it its pods and its Service.

        Raises:
            StepError: Kubernetes refuses.
        """
        if self._job:
            job, self._job = self._job, ""
            delete, options = self._batch.delete_namespaced_job, {"propagationPolicy": "Background"}
            try:
                self._answer("delete its Job", delete, job, self._pod.namespace, body=options)
            except Unanswered as error:  # the training itself may have succeeded
                report(f"{error}: Job {job} remains until the pod of this step is deleted")

    def _name(self, attempt: int) -> str:
        """Return the name of the Job: the uid of the pod differs in each attempt of the step, too."""
        return f"penchant-training-{self._pod.uid[:13]}-{attempt}"

    def _answer(self, what: str, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Return the answer of Kubernetes, {} for what is deleted already."""
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        try:
            return json.loads(call(*arguments, **options, _preload_content=False).data)
        except HTTPError as error:
            raise Unanswered(f"the step could not {what}: Kubernetes gave no answer ({error})") from error
        except ApiException as error:
            reason = f"the step could not {what} in namespace {self._pod.namespace}: {error.reason}"
            if error.status in _BUSY:
                raise Unanswered(reason) from error
            if error.status == _GONE and call == self._batch.delete_namespaced_job:
                return {}
            if error.status == _FORBIDDEN:
                role = "its service account needs the role in infra/kubernetes/training-workers"
                raise Forbidden(f"{reason}; {role}") from error
            raise StepError(reason) from error
