"""The commands of `penchant experiment`: compare releases and scenarios on real traffic."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.commands.errors import exit_on_error, out
from pipelines.commands.experiment_options import (
    Arms,
    Candidate,
    ExperimentKind,
    FalseAlarms,
    GuardrailRatios,
    InterleavingMethod,
    NewName,
    Publish,
    RampSteps,
    Reason,
    Requests,
    Share,
    SlowMs,
)
from pipelines.commands.options import By, Home

if TYPE_CHECKING:
    from pipelines.settings import Settings
    from serving.experiments.experiment import Act, Experiment
    from serving.experiments.experiment_file import ExperimentFile

experiment = typer.Typer(
    help="""Compare releases and scenarios on real traffic, while the recommender runs.

```
penchant experiment start shadow look-at-8 --candidate 8
penchant experiment start canary try-8 --candidate 8 --share 1%
penchant experiment start ab seven-or-8 --arm old=7:50% --arm new=8:50%
penchant experiment start interleaving against-8 --candidate 8
penchant experiment show
penchant experiment ramp 10%
penchant experiment report
penchant experiment stop --reason "release 8 wins"
```

Each recommender follows within a second; one experiment runs at a time.
""",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@experiment.command()
def start(
    kind: ExperimentKind,
    name: NewName,
    by: By,
    candidate: Candidate = None,
    arm: Arms = None,
    share: Share = None,
    ramp_steps: RampSteps = None,
    requests: Requests = None,
    method: InterleavingMethod = None,
    guardrail: GuardrailRatios = None,
    slow_ms: SlowMs = None,
    false_alarms: FalseAlarms = None,
    publish: Publish = False,
    reason: Reason = "",
    home: Home = None,
) -> None:
    """Start an experiment; the recommenders take part once they have loaded its releases.

    ```
    penchant experiment start shadow look-at-8 --candidate 8
    penchant experiment start canary try-8 --candidate 8 --share 1%
    penchant experiment start ab seven-or-8 --arm old=7:50% --arm new=8:50%
    penchant experiment start interleaving against-8 --candidate 8
    ```
    """
    with exit_on_error():
        from pipelines.commands import experiment_arguments as arguments
        from pipelines.settings import load_settings
        from serving.configuration.settings import load_settings as load_serving_settings
        from serving.experiments.experiment_checks import check_experiment, check_taint
        from serving.ranking.scenarios import load_scenarios
        from serving.release.tainted_versions import tainted_versions

        settings = load_settings(home=home)
        file, act = _file(settings), _act("started", by, reason)
        published, live = file.store.versions(), file.store.live()
        started = arguments.make_experiment(
            kind,
            name,
            arguments.parse_arms(kind, candidate, arm or (), live),
            requests,
            arguments.parse_ramp(kind, share, ramp_steps or (), act.at),
            arguments.parse_guardrails(kind, guardrail or (), slow_ms, false_alarms),
            method,
            act,
        )
        scenarios = load_scenarios(load_serving_settings(home=settings.home).scenarios)
        missing = sorted(started.releases.difference(published)) if publish else []
        check_experiment(started, [*published, *missing], live, scenarios)
        check_taint(started, tainted_versions(file.store), live)
        for version in missing:
            _publish(settings, version)
        file.start(started)
        _print(started)


@experiment.command()
def show(
    all_: Annotated[bool, typer.Option("--all", help="Also the experiments before, oldest first.")] = False,
    home: Home = None,
) -> None:
    """Show the experiment: its arms, shares, and who did what to it.

    ```
    penchant experiment show --all
    ```
    """
    with exit_on_error():
        from pipelines.settings import load_settings

        file = _file(load_settings(home=home))
        last = file.read()
        shown = file.history() if all_ else [last] if last else []
        if not shown:
            out.print("No experiment was started yet: penchant experiment start")
        for each in shown:
            _print(each)


@experiment.command()
def ramp(
    share: Annotated[str, typer.Argument(help="The share of the users from now on, such as 0.2 or 20%.")],
    by: By,
    reason: Reason = "",
    home: Home = None,
) -> None:
    """Change the share of the users at once; it replaces the steps that were planned.

    Users who are in the experiment stay in it while the share grows.

    ```
    penchant experiment ramp 10% --reason "no complaint"
    ```
    """
    with exit_on_error():
        from pipelines.commands.experiment_arguments import parse_share
        from pipelines.settings import load_settings
        from serving.experiments.experiment import RampStep

        file = _file(load_settings(home=home))
        running, act = _running(file), _act("ramped", by, reason)
        if running.kind == "ab":
            raise ValueError(
                "the shares of an A/B experiment are fixed, because other shares would move users to another "
                "arm: stop it and start another one"
            )
        step = RampStep(at=act.at, share=parse_share(share, "SHARE"))
        past = [each for each in running.ramp if each.at < act.at]
        changed = running.with_act(act, ramp=(*past, step))
        file.replace(changed)
        _print(changed)


@experiment.command()
def stop(by: By, reason: Reason = "", home: Home = None) -> None:
    """End the experiment: all users get the live release again, within a second.

    ```
    penchant experiment stop --reason "release 8 wins"
    ```
    """
    with exit_on_error():
        from pipelines.settings import load_settings

        file = _file(load_settings(home=home))
        stopped = _running(file).with_act(_act("stopped", by, reason))
        file.replace(stopped)
        _print(stopped)


@experiment.command()
def report(
    name: Annotated[str, typer.Argument(help="A former experiment. Default: the last one.")] = "",
    home: Home = None,
) -> None:
    """Show what users did in each arm, and what to conclude; one may look at any time.

    Intervals and p-values are always valid: they hold however often one looks. A shadow is unseen: the
    dashboard has its figures.

    ```
    penchant experiment report
    penchant experiment report seven-or-8
    ```
    """
    with exit_on_error():
        from components.evaluate_online.experiment_report import report_experiment
        from pipelines.commands.tables.experiment_reports import report_parts
        from pipelines.settings import load_settings

        settings = load_settings(home=home)
        reported = _named(_file(settings), name)
        if reported.kind == "shadow":
            raise ValueError(
                "users do not see the answers of a shadow, so there is nothing to report of users: see the "
                "metrics penchant_shadow_answers_total and penchant_experiment_answer_duration_seconds on "
                "the dashboard"
            )
        found = report_experiment(settings.interaction_log, settings.warehouse, reported)
        for part in report_parts(found):
            out.print(part, soft_wrap=isinstance(part, str))


def _named(file: "ExperimentFile", name: str) -> "Experiment":
    """Return an experiment by name, the last one for ""."""
    by_name = {each.name: each for each in file.history()}
    if not by_name:
        raise ValueError("no experiment was started yet: `penchant experiment start` starts one")
    if name and name not in by_name:
        raise ValueError(f"there is no experiment {name!r}; there are {', '.join(by_name)}")
    return by_name[name or list(by_name)[-1]]


def _file(settings: "Settings") -> "ExperimentFile":
    from serving.experiments.experiment_file import ExperimentFile
    from serving.release.published_versions import PublishedVersions

    settings.prepare_home()  # what is written is for its user alone
    return ExperimentFile(PublishedVersions(settings.releases))


def _publish(settings: "Settings", version: int) -> None:
    from pipelines.review.publishing import publish_candidate

    publish_candidate(settings, version)
    out.print(f"version {version} is published; the live one stays")


def _running(file: "ExperimentFile") -> "Experiment":
    last = file.read()
    if last is None or not last.is_running:
        raise ValueError("no experiment is running: `penchant experiment start` starts one")
    return last


def _act(what: str, by: str, reason: str) -> "Act":
    from serving.experiments.experiment import Act

    return Act.model_validate({"what": what, "by": by, "at": datetime.now(UTC), "reason": reason})


def _print(shown: "Experiment") -> None:
    from pipelines.commands.tables.experiments import experiment_parts

    for part in experiment_parts(shown, datetime.now(UTC)):
        out.print(part, soft_wrap=isinstance(part, str))
