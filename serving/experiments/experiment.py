"""An experiment: which requests another release or scenario answers, and who decided that and when."""

import math
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from serving.experiments.kinds import Kind, Method

# A release and a scenario as an arm uses them.
Treatment = tuple[int | None, str | None]

_STRICT: Final = ConfigDict(frozen=True, extra="forbid")
_NAME: Final = r"^[a-z0-9][a-z0-9._-]{0,59}$"
# Shares that sum to 1 but for rounding.
_ROUNDING: Final = 1e-9


def _with_zone(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("expected a time with a time zone")
    return moment


Moment = Annotated[datetime, AfterValidator(_with_zone)]


class Arm(BaseModel):
    """One of the ways in which requests are answered."""

    model_config = _STRICT

    name: str = Field(pattern=_NAME)
    release: int | None = Field(default=None, ge=1)  # None: the live one, whichever that is
    scenario: str | None = None  # replaces that of the request; None: the request's own
    share: float | None = Field(default=None, gt=0, le=1)  # of the users; of an A/B experiment only

    @property
    def treatment(self) -> Treatment:
        return self.release, self.scenario

    def describe(self) -> str:
        """Return "release 8 under scenario feed"."""
        release = "the live release" if self.release is None else f"release {self.release}"
        return release if self.scenario is None else f"{release} under scenario {self.scenario}"


class RampStep(BaseModel):
    """From a time on, this share of the users is in the experiment."""

    model_config = _STRICT

    at: Moment
    share: float = Field(ge=0, le=1)


class Guardrails(BaseModel):
    """When a canary stops by itself: serving.experiments.guardrails has the test."""

    model_config = _STRICT

    # Of the users with an event: the ratio, candidate over live, that is accepted.
    errors: float | None = Field(default=1.0, ge=1)
    slow: float | None = Field(default=1.0, ge=1)
    degraded: float | None = Field(default=1.0, ge=1)
    dismissals: float | None = Field(default=1.0, ge=1)
    clicks: float | None = Field(default=1.0, gt=0, le=1)
    slow_ms: float = Field(default=100.0, gt=0)  # a slow answer takes longer
    false_alarms: float = Field(default=0.05, gt=0, le=0.5)  # probability that any stops for nothing


class Act(BaseModel):
    """What somebody did to an experiment."""

    model_config = _STRICT

    what: Literal["started", "ramped", "stopped"]
    by: str
    at: Moment
    reason: str = ""


class Experiment(BaseModel):
    """The content of the experiment file; the first arm is the one that the others are compared with."""

    model_config = _STRICT

    name: str = Field(pattern=_NAME)  # also the salt of the assignment, so no name is used twice
    kind: Kind
    arms: tuple[Arm, ...]
    requests: str | None = None  # concerns only requests with this scenario, "" for those without; None: all
    ramp: tuple[RampStep, ...] = ()  # of all kinds but ab, by time
    guardrails: Guardrails | None = None  # of a canary
    method: Method | None = None  # of interleaving; None: the default one
    acts: tuple[Act, ...]  # oldest first; only ever added to

    @property
    def is_running(self) -> bool:
        return self.acts[-1].what != "stopped"

    @property
    def releases(self) -> set[int]:
        """The releases that the arms name."""
        return {arm.release for arm in self.arms if arm.release is not None}

    def share_at(self, seconds: float) -> float:
        """Return the share of the users in the experiment at a time, seconds since the epoch."""
        return next((step.share for step in reversed(self.ramp) if step.at.timestamp() <= seconds), 0.0)

    def with_act(self, act: Act, **changes: Any) -> Self:
        """Return the experiment after an act that changes some of its fields."""
        return self.model_copy(update={"acts": (*self.acts, act), **changes})

    @model_validator(mode="after")
    def _check(self) -> Self:
        for check in (_check_arms, _check_shares, _check_acts):
            check(self)
        if self.method is not None and self.kind != "interleaving":
            raise ValueError(f"method: only interleaving has one, got {self.method} for {self.kind}")
        return self


def _check_arms(experiment: Experiment) -> None:
    names = [arm.name for arm in experiment.arms]
    if len(set(names)) < len(names):
        raise ValueError(f"arms: expected different names, got {', '.join(names)}")
    expected = "two arms or more" if experiment.kind == "ab" else "two arms"
    if len(names) < 2 or (experiment.kind != "ab" and len(names) > 2):
        raise ValueError(f"arms: expected {expected} for {experiment.kind}, got {len(names)}")
    if experiment.kind in ("shadow", "canary") and experiment.arms[0].treatment != (None, None):
        raise ValueError(f"arms: the first one of a {experiment.kind} is the live release, whichever that is")
    by_treatment: dict[Treatment, Arm] = {}
    for arm in experiment.arms:
        same = by_treatment.setdefault(arm.treatment, arm)
        if same is not arm:
            raise ValueError(
                f"arms: {same.name} and {arm.name} are the same, {arm.describe()}: give one of them another "
                "release or scenario"
            )
    if experiment.requests is None and any(arm.scenario is not None for arm in experiment.arms):
        raise ValueError(
            "requests: an arm with a scenario concerns the requests of one scenario only: name it with "
            '--requests SCENARIO, or --requests "" for the requests without one'
        )


def _check_shares(experiment: Experiment) -> None:
    shares = [arm.share for arm in experiment.arms]
    if experiment.kind != "ab":
        if any(share is not None for share in shares):
            raise ValueError("share: an arm has one in an A/B experiment only; the ramp has that of others")
        if not experiment.ramp or list(experiment.ramp) != sorted(experiment.ramp, key=lambda step: step.at):
            raise ValueError("ramp: expected at least one step, in the order of time")
        return
    if experiment.ramp:
        raise ValueError("ramp: the arms of an A/B experiment have fixed shares instead")
    if None in shares:
        raise ValueError("share: each arm of an A/B experiment needs one")
    if (total := math.fsum(share or 0.0 for share in shares)) > 1 + _ROUNDING:
        raise ValueError(f"share: expected arm shares that sum to at most 1, got {total:g}")


def _check_acts(experiment: Experiment) -> None:
    if not experiment.acts or experiment.acts[0].what != "started":
        raise ValueError("acts: expected who started it, first")
    if (experiment.guardrails is not None) != (experiment.kind == "canary"):
        raise ValueError("guardrails: a canary has them, and no other kind")


def parse_experiment(content: bytes) -> Experiment:
    """Return the experiment in the content of its file.

    Raises:
        ValueError: names each wrong field and what is expected.
    """
    try:
        return Experiment.model_validate_json(content)
    except ValidationError as error:
        raise ValueError(describe(error)) from error


def describe(error: ValidationError) -> str:
    """Return one sentence about all faults."""
    faults = [(".".join(map(str, fault["loc"])), fault["msg"]) for fault in error.errors(include_url=False)]
    return "; ".join(f"{key}: {text}" if key else text.removeprefix("Value error, ") for key, text in faults)
