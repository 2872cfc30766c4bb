"""Finds runs on Kubeflow, which the lock of a home does not know."""

from typing import Final

from pipelines.errors import HomeInUse
from pipelines.settings import Settings

_NEWEST: Final = 100


def check_no_run(settings: Settings) -> None:
    """Check that none of the newest runs on Kubeflow is in progress, if the settings name one.

    Raises:
        HomeInUse: one is.
        RunError: Kubeflow can't be reached.
    """
    if not settings.kubeflow:
        return
    from pipelines.kubeflow.connection import connect
    from pipelines.kubeflow.runs import KubeflowRuns

    with connect(settings) as client:
        active = [run.run_id for run in KubeflowRuns(client, settings).newest(_NEWEST) if not run.has_ended]
    if active:
        raise HomeInUse(
            f"a run is in progress on Kubeflow ({', '.join(active)}): wait until it ends, then repeat this"
        )
