"""Checks what an experiment names: releases that are published, and scenarios that its requests can have."""

from collections.abc import Collection, Mapping

from serving.experiments.experiment import Arm, Experiment, Treatment
from serving.ranking.scenarios import Scenario


def check_experiment(
    experiment: Experiment, published: Collection[int], live: int | None, scenarios: Mapping[str, Scenario]
) -> None:
    """Check what an experiment names.

    Raises:
        ValueError: a release is not published, a scenario is unknown, or two arms are the same at present.
    """
    for version in sorted(experiment.releases - set(published)):
        known = ", ".join(map(str, published)) or "none"
        raise ValueError(
            f"release {version} is not published; published are {known}; `--publish` publishes a "
            "registered one first"
        )
    check_scenarios(experiment, scenarios)
    by_treatment: dict[Treatment, Arm] = {}
    for arm in experiment.arms:
        release = live if arm.release is None else arm.release
        same = by_treatment.setdefault((release, arm.scenario), arm)
        if same is not arm:
            raise ValueError(f"arms {same.name} and {arm.name} are the same: release {release} is live")


def check_taint(experiment: Experiment, tainted: Collection[int], live: int | None) -> None:
    """Raise ValueError if a release, but the live one, learned from a user who was erased since."""
    for version in sorted((experiment.releases & set(tainted)) - {live}):
        raise ValueError(
            f"release {version} learned from users who were erased since: no experiment may answer with it; "
            "train another one with `penchant run`"
        )


def check_scenarios(experiment: Experiment, scenarios: Mapping[str, Scenario]) -> None:
    """Raise ValueError if a scenario is unknown, or an arm's needs what a request under another one lacks."""
    named = [arm.scenario for arm in experiment.arms if arm.scenario is not None]
    for name in [*named, *([experiment.requests] if experiment.requests else [])]:
        if name not in scenarios:
            raise ValueError(f"scenario {name!r} is unknown; known are {', '.join(sorted(scenarios))}")
    of_requests = scenarios.get(experiment.requests or "", Scenario())
    for name in named:
        if experiment.kind == "interleaving" and not scenarios[name].is_by_score:
            raise ValueError(f"scenario {name!r} does not order by score alone, so it can't be interleaved")
        scenario = scenarios[name]
        if scenario.record_impressions > of_requests.record_impressions:
            raise ValueError(f"scenario {name!r} records impressions, for which its requests need a scope")
        if scenario.objective != of_requests.objective:
            raise ValueError(f"scenario {name!r} has another objective than that of its requests")
