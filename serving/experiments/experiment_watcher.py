"""Watches the experiment file, and loads the releases of the experiment that it says is running."""

import logging
from collections.abc import Callable, Mapping
from threading import Lock
from time import monotonic
from typing import Final

from serving.errors import Unavailable
from serving.experiments.experiment import Experiment, parse_experiment
from serving.experiments.experiment_checks import check_scenarios
from serving.experiments.experiment_file import ExperimentFile
from serving.experiments.running_experiment import RunningExperiment
from serving.process.polling_thread import PollingThread
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.open_releases import OpenReleases
from serving.ranking.scenarios import Scenario
from serving.release_watcher import ServedVersions
from serving.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

# Delay before an experiment that could not begin is tried again.
_RETRY_S: Final = 5.0


class ExperimentWatcher:
    """Polls the experiment file in a thread; `running` is what answers take part in, None for nothing.

    A file that can't be used changes nothing: the last good one stays. An experiment begins once its
    releases are loaded here and in the model server; until then, all users get the live release.
    """

    def __init__(
        self,
        releases: OpenReleases,
        model_server: ServedVersions,
        scenarios: Mapping[str, Scenario],
        metrics: Metrics,
        poll_s: float = 0.2,
        may_begin: Callable[[], bool] = lambda: True,
    ) -> None:
        """Before `may_begin`, the thread reads nothing: the live release is opened first."""
        self._releases, self._model_server, self._scenarios = releases, model_server, scenarios
        self._file, self._metrics = ExperimentFile(releases.store), metrics
        self._may_begin = may_begin
        self.running: RunningExperiment | None = None
        self._content: bytes | None = None  # of the file that is in use
        self._tried: bytes | None = None  # of the last file
        self._problem, self._retry_at = "", 0.0
        self._halted, self._switching = "", Lock()
        self._thread = PollingThread("experiment watcher", self._poll, poll_s, at_once=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def halt(self, name: str) -> None:
        """End an experiment in this process, whatever the file says."""
        with self._switching:
            self._halted = name
            if self.running and self.running.experiment.name == name:
                self._end()

    def close(self) -> None:
        self._thread.close()

    def refresh(self) -> None:
        """Follow the file; a problem is logged and counted, and the current experiment stays."""
        try:
            content = self._file.content()
            if content == self._content or (content == self._tried and monotonic() < self._retry_at):
                return
            self._tried = content
            experiment = None if content is None else parse_experiment(content)
            self._follow(experiment)
            self._content, self._problem = content, ""
        except Unavailable as error:
            self._report(f"experiment waits: {error}")
            self._metrics.experiment_failures.inc()
        except Exception as error:  # a release that can't be opened can raise anything; the thread goes on
            self._report(f"experiment file {self._file.path} is refused: {error}")
            self._metrics.experiment_failures.inc()

    def _follow(self, experiment: Experiment | None) -> None:
        if experiment is None or not experiment.is_running:
            if self.running:
                logger.info("experiment %s ended: %s", self.running.experiment.name, _reason(experiment))
            self._end()
            return
        if self.running and self.running.experiment.name != experiment.name:
            self._end()  # whether or not its successor can begin
        check_scenarios(experiment, self._scenarios)
        releases = self._open(experiment)
        with self._switching:
            if experiment.name == self._halted:
                return
            self.running = RunningExperiment(experiment, releases, self._scenarios)
            self._metrics.experiment_running.set(1)
        logger.info("experiment %s: %s", experiment.name, experiment.acts[-1].what)

    def _end(self) -> None:
        self.running = None
        self._metrics.experiment_running.set(0)

    def _open(self, experiment: Experiment) -> Mapping[int, LoadedRelease]:
        """Return the releases; raises Unavailable if the model server does not serve each of them.

        Those of the running experiment are there: a change of its ramp waits for nothing.
        """
        running = self.running
        is_same = running is not None and running.experiment.name == experiment.name
        if running and is_same and set(running.releases) == experiment.releases:
            return running.releases
        releases = {version: self._releases.open(version) for version in sorted(experiment.releases)}
        served = self._model_server.available_versions(1.0)
        for version in releases:
            if version not in served:
                raise Unavailable(
                    f"the model server does not report release {version} as AVAILABLE; it needs the version "
                    "policy `all`, or one that names this release"
                )
        return releases

    def _report(self, problem: str) -> None:
        self._retry_at = monotonic() + _RETRY_S
        if problem != self._problem:
            logger.warning("%s", problem, exc_info=logger.isEnabledFor(logging.DEBUG))
        self._problem = problem

    def _poll(self) -> None:
        if self._may_begin():
            self.refresh()


def _reason(experiment: Experiment | None) -> str:
    if experiment is None:
        return "the file is gone"
    act = experiment.acts[-1]
    return f"{act.what} by {act.by}{f': {act.reason}' if act.reason else ''}"
