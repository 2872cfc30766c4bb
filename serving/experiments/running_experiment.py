"""An experiment whose releases are loaded: which arm a request belongs to, and what answers it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from serving.experiments.assignment import assign
from serving.experiments.experiment import Arm, Experiment
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.request import Request
from serving.ranking.scenarios import Scenario

# Kinds in which some users' answers come from an arm alone.
SPLITS_USERS: Final = ("canary", "ab")


@dataclass(frozen=True, eq=False)
class RunningExperiment:
    """The experiment of a worker, replaced as a whole when the file changes."""

    experiment: Experiment
    releases: Mapping[int, LoadedRelease]
    scenarios: Mapping[str, Scenario]

    def arm_of(self, request: Request, live: LoadedRelease, seconds: float) -> Arm | None:
        """Return the arm of a request at a time, seconds since the epoch; None if it is of no concern.

        An anonymous visitor has no arm, because nothing would make the assignment last; nobody has one once
        the candidate is live.
        """
        experiment = self.experiment
        if experiment.arms[0].release is None and experiment.arms[1].treatment == (live.version, None):
            return None
        if not request.user_id or experiment.requests not in (None, request.scenario.name):
            return None
        if experiment.kind == "interleaving" and (request.explain or not request.scenario.is_by_score):
            return None  # interleaved items would not keep the scenario's promises
        return assign(experiment, request.user_id, seconds)

    def release_of(self, arm: Arm, live: LoadedRelease) -> LoadedRelease:
        return live if arm.release is None else self.releases[arm.release]

    def request_of(self, arm: Arm, request: Request) -> Request:
        """Return the request under the arm's scenario."""
        return request if arm.scenario is None else replace(request, scenario=self.scenarios[arm.scenario])

    def release_of_user(self, user_id: str, live: LoadedRelease, seconds: float) -> LoadedRelease:
        """Return the release that answers most requests of a user."""
        if self.experiment.kind not in SPLITS_USERS or self.experiment.requests is not None:
            return live
        arm = assign(self.experiment, user_id, seconds)
        return live if arm is None else self.release_of(arm, live)
