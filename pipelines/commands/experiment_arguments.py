"""Reads the arguments of `penchant experiment start` into an experiment."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from pydantic import ValidationError

from serving.experiments.experiment import Act, Arm, Experiment, Guardrails, RampStep, describe
from serving.experiments.kinds import Kind, Method

LIVE: Final = "live"
CANDIDATE: Final = "candidate"

_ARM: Final = re.compile(r"(?P<name>[^=]+)=(?P<release>live|\d*)(?:/(?P<scenario>[^:]*))?(?::(?P<share>.+))?")
_CANDIDATE: Final = re.compile(r"(?P<release>live|\d*)(?:/(?P<scenario>.*))?")
_STEP: Final = re.compile(r"(?P<delay>\d+(?:\.\d+)?)(?P<unit>[mhd]):(?P<share>.+)")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}


def parse_share(text: str, option: str) -> float:
    """Return a share such as 0.05 or 5%.

    Raises:
        ValueError: it is neither, or not from 0 to 1.
    """
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ValueError(f"{option}: expected a share from 0 to 1, such as 0.05 or 5%, got {text!r}")
    return share


def parse_arm(text: str, live: int | None) -> Arm:
    """Return the arm of `NAME=RELEASE[/SCENARIO][:SHARE]`; `live` or no release is the one that is live now.

    Raises:
        ValueError: it has another form.
    """
    found = _ARM.fullmatch(text)
    if not found:
        raise ValueError(f"--arm: expected NAME=RELEASE[/SCENARIO][:SHARE], such as new=8:0.5, got {text!r}")
    release, share = found["release"], found["share"]
    return _arm(
        found["name"],
        live if release in ("", LIVE) else int(release),
        found["scenario"],
        None if share is None else parse_share(share, "--arm"),
    )


def parse_arms(kind: Kind, candidate: str | None, texts: Sequence[str], live: int | None) -> list[Arm]:
    """Return the arms, the control first: the live release is that of a candidate.

    Raises:
        ValueError: an arm has another form.
    """
    arms = [parse_arm(text, live) for text in texts]
    if candidate is None:
        return arms
    pinned = live if kind == "interleaving" else None
    return [Arm(name=LIVE, release=pinned), parse_candidate(candidate, pinned), *arms]


def parse_candidate(text: str, live: int | None) -> Arm:
    """Return the arm of `RELEASE[/SCENARIO]`; `live` or no release is the one that is live.

    Args:
        live: its version; None for whichever release is live at a request.

    Raises:
        ValueError: it has another form.
    """
    found = _CANDIDATE.fullmatch(text)
    if not found or not text:
        raise ValueError(f"--candidate: expected RELEASE[/SCENARIO], such as 8 or live/content, got {text!r}")
    release = live if found["release"] in ("", LIVE) else int(found["release"])
    return _arm(CANDIDATE, release, found["scenario"], None)


def parse_ramp(kind: Kind, share: str | None, steps: Sequence[str], now: datetime) -> tuple[RampStep, ...]:
    """Return the steps of a share from now on, and of `DELAY:SHARE` such as `6h:20%`; none for "ab".

    Raises:
        ValueError: a step has another form, or they are not in the order of time.
    """
    if kind == "ab" and share is None and not steps:
        return ()
    ramp = [RampStep(at=now, share=parse_share("1" if share is None else share, "--share"))]
    for text in steps:
        found = _STEP.fullmatch(text)
        if not found:
            raise ValueError(f"--ramp: expected DELAY:SHARE with m, h or d, such as 6h:20%, got {text!r}")
        delay = timedelta(**{_UNITS[found["unit"]]: float(found["delay"])})
        ramp.append(RampStep(at=now + delay, share=parse_share(found["share"], "--ramp")))
    return tuple(ramp)


def parse_guardrails(
    kind: Kind, texts: Sequence[str], slow_ms: float | None, false_alarms: float | None
) -> Guardrails | None:
    """Return the guardrails of a canary; `texts` are `NAME=RATIO`, or `NAME=off`.

    Raises:
        ValueError: a name is unknown, a number is out of range, or it is no canary.
    """
    numbers = {"slow_ms": slow_ms, "false_alarms": false_alarms}
    given = {name: number for name, number in numbers.items() if number is not None}
    if kind != "canary":
        if texts or given:
            raise ValueError("--guardrail, --slow-ms, --false-alarms: only a canary has guardrails")
        return None
    ratios: dict[str, str | None] = {}
    for text in texts:
        name, separator, ratio = text.partition("=")
        if not separator:
            raise ValueError(f"--guardrail: expected NAME=RATIO or NAME=off, such as slow=1.2, got {text!r}")
        ratios[name] = None if ratio == "off" else ratio
    try:
        return Guardrails.model_validate({**ratios, **given})
    except ValidationError as error:
        known = ", ".join(name for name in Guardrails.model_fields if name not in numbers)
        raise ValueError(f"--guardrail: {describe(error)}; known are {known}") from error


def make_experiment(
    kind: Kind,
    name: str,
    arms: Sequence[Arm],
    requests: str | None,
    ramp: Sequence[RampStep],
    guardrails: Guardrails | None,
    method: Method | None,
    act: Act,
) -> Experiment:
    """Return the experiment.

    Raises:
        ValueError: something is wrong or does not fit together; the message names the field.
    """
    try:
        return Experiment(
            name=name,
            kind=kind,
            arms=tuple(arms),
            requests=requests,
            ramp=tuple(ramp),
            guardrails=guardrails,
            method=method,
            acts=(act,),
        )
    except ValidationError as error:
        raise ValueError(f"experiment {name}: {describe(error)}") from error


def _arm(name: str, release: int | None, scenario: str | None, share: float | None) -> Arm:
    try:
        return Arm(name=name, release=release, scenario=scenario, share=share)
    except ValidationError as error:
        raise ValueError(f"arm {name}: {describe(error)}") from error
