"""The start of the pods of a training: what they wait for is told, and they wait for a limited time."""

import time
from typing import Final

from components.errors import StepError
from components.progress import report
from components.train_interest_model.workers.job_manifest import Manifest

_REPORT_S: Final = 60.0
# Longer than a cluster takes to add a node with a GPU and to pull the image.
_LIMIT_S: Final = 1_800.0


class PodStart:
    """Follows the pods of one Job until all have started."""

    def __init__(self, count: int) -> None:
        """`count`: the pods that are to start."""
        self._count = count
        self._begun = self._reported = time.monotonic()

    def check(self, pods: list[Manifest]) -> bool:
        """Return whether all have started; every minute, report those that have not, and why.

        Raises:
            StepError: they have waited for too long.
        """
        waiting = [_describe(pod) for pod in pods if pod.get("status", {}).get("phase") == "Pending"]
        if (missing := self._count - len(pods)) > 0:
            waiting.append(f"{missing} not created yet")
        if not waiting:
            return True
        now, limit = time.monotonic(), f"{_LIMIT_S / 60:.0f} minutes"
        reasons = "; ".join(waiting)
        if now - self._begun >= _LIMIT_S:
            raise StepError(
                f"pods of the training did not start within {limit}: {reasons}; give them nodes with "
                "room, or train with fewer workers (PENCHANT_TRAINING_WORKERS)"
            )
        if now - self._reported >= _REPORT_S:
            self._reported = now
            minutes = (now - self._begun) / 60
            report(f"waiting for pods, {minutes:.0f} of at most {limit}: {reasons}")
        return False


def _describe(pod: Manifest) -> str:
    """Return the name of a pod, and why it waits if Kubernetes says so."""
    status = pod["status"]
    causes = [
        container.get("state", {}).get("waiting", {}) for container in status.get("containerStatuses", [])
    ]
    causes += [each for each in status.get("conditions", []) if each.get("status") == "False"]
    for cause in causes:
        if cause.get("reason"):
            words = (cause["reason"], cause.get("message", ""))
            return f"{pod['metadata']['name']} ({': '.join(filter(None, words))})"
    return str(pod["metadata"]["name"])
