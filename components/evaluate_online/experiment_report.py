"""Reports what users did in an experiment: by arm, with always-valid intervals, and a recommendation."""

import math
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from duckdb import DuckDBPyConnection

from components.evaluate_online.always_valid import AlwaysValid
from components.evaluate_online.arm_comparison import (
    SAMPLE_RATIO_ALPHA,
    Sums,
    preference,
    relative_difference,
    sample_ratio,
)
from components.evaluate_online.attribution import BUCKETS, attribute
from components.evaluate_online.ratio_intervals import Floats
from components.evaluate_online.recorded_window import NothingShown, read_window
from components.ingest_interactions.duckdb_session import connect
from components.ingest_interactions.warehouse.manifest import Warehouse
from serving.experiments.experiment import Experiment

_DAY_US: Final = 86_400_000_000

# Metric -> its column of `places`.
METRICS: Final = {"clicks": "clicked", "conversions": "converted", "dismissals": "dismissed"}


@dataclass(frozen=True)
class ArmReport:
    """What the users of an arm did; rates are per shown item."""

    name: str
    users: int
    answers: int
    places: int
    rates: Mapping[str, float]  # of METRICS
    # The logarithm of the ratio to the first arm's rate; None with too few events, and for the first arm.
    differences: Mapping[str, AlwaysValid | None]


@dataclass(frozen=True)
class ExperimentReport:
    """The outcome of an experiment so far."""

    experiment: Experiment
    arms: list[ArmReport]
    sample_ratio: float | None  # p-value; None for interleaving
    credited_clicks: tuple[float, float]  # that count for either ranking; of interleaving
    preference: AlwaysValid | None  # of interleaving


def report_experiment(url: str, warehouse: str, experiment: Experiment) -> ExperimentReport:
    """Return the report from the recorded exposures and interactions.

    Interactions count by the rules of attribution.attribute, with the last touch within a day.

    Args:
        url: of the interaction log.
        warehouse: a folder or URL; has the recorded interactions that runs have ingested.

    Raises:
        ValueError: no answer of the experiment was recorded.
        StepError: the log can't be read.
    """
    start = round(experiment.acts[0].at.timestamp() * 1e6)
    now = time.time_ns() // 1000 + 1
    end = now if experiment.is_running else round(experiment.acts[-1].at.timestamp() * 1e6) + 1
    store = Warehouse(warehouse)
    with (
        tempfile.TemporaryDirectory(prefix="penchant-") as folder,
        connect(store.filesystem) as connection,
    ):
        try:
            recorded = read_window(url, store, start, end, min(end + _DAY_US, now), Path(folder))
        except NothingShown as error:
            raise ValueError(_nothing_recorded(experiment)) from error
        attribute(connection, recorded, _DAY_US)
        connection.execute(
            f"CREATE VIEW compared AS SELECT *, {_step(experiment)} AS step FROM places "
            "WHERE experiment = getvariable('experiment')",
        )
        connection.execute("SET VARIABLE experiment = ?", [experiment.name])
        arms = _arms(connection, experiment)
        if not arms:
            raise ValueError(_nothing_recorded(experiment))
        if experiment.kind == "interleaving":
            first = _by_user(connection, "clicked * greatest(-credit, 0)")
            second = _by_user(connection, "clicked * greatest(credit, 0)")
            clicks = float(first.sum()), float(second.sum())
            return ExperimentReport(experiment, arms, None, clicks, preference(first, second))
        return ExperimentReport(experiment, arms, _sample_ratio(connection, experiment), (0, 0), None)


def _nothing_recorded(experiment: Experiment) -> str:
    return (
        f"no answer of experiment {experiment.name} was recorded: did the recommender take part? Its log "
        "says so, and PENCHANT_EXPOSURE_SHARE must be above 0; `penchant demo` deletes its own answers"
    )


def recommendation(report: ExperimentReport) -> str:
    """Return what to do, and why, in a sentence."""
    experiment = report.experiment
    last = experiment.acts[-1]
    if last.by.startswith("guardrail"):
        return f"stopped by {last.by}: {last.reason}"
    if report.sample_ratio is not None and report.sample_ratio < SAMPLE_RATIO_ALPHA:
        return (
            "the arms have other shares of the users than they should, so nothing can be concluded: find out "
            "which answers are not recorded, or fail"
        )
    if experiment.kind == "interleaving":
        results = {experiment.arms[1].name: report.preference}
    else:
        results = {arm.name: arm.differences.get("clicks") for arm in report.arms[1:]}
    certain = {name: each for name, each in results.items() if each is not None and each.is_certain}
    better = [name for name, each in certain.items() if each.value > 0]
    if better:
        best = max(better, key=lambda name: certain[name].value)
        arm = next(arm for arm in experiment.arms if arm.name == best)
        is_release = arm.release is not None and not arm.scenario
        approve = f": `penchant review approve {arm.release}` makes it live" if is_release else ""
        return f"{best} is better{approve}"
    if certain:
        stop = ": `penchant experiment stop` ends it" if experiment.is_running else ""
        return f"{', '.join(certain)} is worse{stop}"
    if not experiment.is_running:
        return "not decided: it ended before a difference was certain"
    return "not decided yet: go on, one may look at any time"


def _arms(connection: DuckDBPyConnection, experiment: Experiment) -> list[ArmReport]:
    rates = ", ".join(f"avg({column})::DOUBLE" for column in METRICS.values())
    rows = connection.execute(
        f"SELECT arm, count(DISTINCT person), count(DISTINCT answer), count(*), {rates} "
        "FROM compared GROUP BY arm"
    ).fetchall()
    by_name: dict[str, list[Any]] = {name: counts for name, *counts in rows}
    order = [arm.name for arm in experiment.arms if arm.name in by_name]
    order += sorted(by_name.keys() - set(order))
    sums = {
        metric: {name: _sums(connection, name, column, len(experiment.ramp)) for name in order}
        for metric, column in METRICS.items()
    }
    return [
        ArmReport(
            name,
            users=by_name[name][0],
            answers=by_name[name][1],
            places=by_name[name][2],
            rates=dict(zip(METRICS, by_name[name][3:], strict=True)),
            differences={
                metric: relative_difference(arms[order[0]], arms[name]) if name != order[0] else None
                for metric, arms in sums.items()
            },
        )
        for name in order
    ]


def _step(experiment: Experiment) -> str:
    """Return the SQL of the number of the ramp's steps that an answer came after."""
    times = [round(step.at.timestamp() * 1e6) for step in experiment.ramp]
    return " + ".join(["0", *(f'(epoch_us("timestamp") >= {time})::INTEGER' for time in times)])


def _sums(connection: DuckDBPyConnection, arm: str, column: str, steps: int) -> Sums:
    """Return an arm's events and shown items by step of the ramp and bucket of users, [steps, buckets]."""
    found = connection.execute(
        f"SELECT step, bucket, sum({column})::DOUBLE AS events, count(*)::DOUBLE AS counted FROM compared "
        "WHERE arm = ? GROUP BY step, bucket",
        [arm],
    ).fetchnumpy()
    events, counted = np.zeros((2, steps + 1, BUCKETS))
    events[found["step"], found["bucket"]] = found["events"]
    counted[found["step"], found["bucket"]] = found["counted"]
    return events, counted


def _by_user(connection: DuckDBPyConnection, column: str) -> Floats:
    found = connection.execute(
        f"SELECT sum({column})::DOUBLE AS events FROM compared GROUP BY bucket ORDER BY bucket"
    ).fetchnumpy()
    return np.asarray(found["events"])


def _sample_ratio(connection: DuckDBPyConnection, experiment: Experiment) -> float:
    """Compare the users of the arms with their shares when each of them was first answered."""
    rows = connection.execute(
        'SELECT arg_min(arm, "timestamp"), epoch(min("timestamp")) FROM compared GROUP BY person'
    ).fetchall()
    names = [arm.name for arm in experiment.arms]
    fixed = tuple(arm.share or 0.0 for arm in experiment.arms)
    groups: dict[tuple[float, ...], Counter[str]] = defaultdict(Counter)
    for arm, seconds in rows:
        share = experiment.share_at(seconds)
        groups[fixed if experiment.kind == "ab" else (1 - share, share)][arm] += 1
    return sample_ratio(
        (
            [users[name] for name, share in zip(names, shares, strict=True) if share],
            [share / math.fsum(shares) for share in shares if share],
        )
        for shares, users in groups.items()
    )
