"""What the user says about event types and ratings; it comes before the known event types."""

import math
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, StrictBool, ValidationError, model_validator

from components.errors import StepError
from feature_repo.event_types import IMPRESSION, RATE, Kind, canonical_event_type

# The kinds that have an option, --positive and so on.
KINDS: Final = (Kind.POSITIVE, Kind.NEGATIVE, Kind.NEUTRAL, Kind.EXPOSURE)
WEIGHTED: Final = (Kind.POSITIVE, Kind.NEGATIVE)
MAX_WEIGHT: Final = 1_000.0


class FeedbackOptions(BaseModel):
    """The pipeline parameter `feedback`; a key that is absent leaves what the warehouse keeps.

    Attributes:
        kinds: event type -> its kind.
        weights: event type -> its weight, for the positive and negative ones of `kinds`.
        min_value: ratings from here on are positive; None: learned for each user.
        all_positive: every interaction but an exposure is positive with the weight 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kinds: dict[str, Kind] = {}
    weights: dict[str, float] = {}
    min_value: float | None = None
    all_positive: StrictBool = False

    @model_validator(mode="after")
    def _check(self) -> "FeedbackOptions":
        for name, kind in self.kinds.items():
            _check_kind(name, kind, self.weights.get(name))
        for name, weight in self.weights.items():
            if self.kinds.get(name) not in WEIGHTED:
                raise ValueError(f"{name}={weight:g}: only positive and negative event types have a weight")
            if not 0 < weight <= MAX_WEIGHT:
                raise ValueError(f"{name}={weight:g}: expected a weight above 0, at most {MAX_WEIGHT:g}")
        if self.min_value is not None and not math.isfinite(self.min_value):
            raise ValueError(f"min_value is {self.min_value}; expected a number")
        return self

    @classmethod
    def parse(cls, values: Mapping[str, Any], origin: str = "feedback") -> "FeedbackOptions":
        """Check the options, and write event types as canonical_event_type does.

        Args:
            origin: where they come from, in error messages.

        Raises:
            StepError: a key is unknown, a value is not allowed, or an event type has two kinds.
        """
        renamed = dict(values)
        for key in ("kinds", "weights"):
            if isinstance(values.get(key), Mapping):
                renamed[key] = {canonical_event_type(name): value for name, value in values[key].items()}
        try:
            return cls.model_validate(renamed)
        except ValidationError as error:
            problems = "; ".join(_problem(problem) for problem in error.errors())
            raise StepError(f"{origin}: {problems}") from error

    def to_dict(self) -> dict[str, Any]:
        """Return the given options for JSON."""
        return self.model_dump(mode="json", exclude_unset=True)

    def over(self, kept: "FeedbackOptions") -> "FeedbackOptions":
        """Return these options and, where nothing is given, the kept ones."""
        weights = {name: weight for name, weight in kept.weights.items() if name not in self.kinds}
        merged = {
            **kept.to_dict(),
            **self.to_dict(),
            "kinds": {**kept.kinds, **self.kinds},
            "weights": {**weights, **self.weights},
        }
        return FeedbackOptions.parse(merged)


def parse_options(
    kinds: Mapping[Kind, list[str]], min_value: str | None, all_positive: bool | None
) -> dict[str, Any]:
    """Return the pipeline parameter for the options of a command.

    Args:
        kinds: kind -> lists such as `["purchase=3,save"]`.
        min_value: a number, or "auto" to learn it.

    Raises:
        StepError: an option is malformed, or its value is not allowed.
    """
    given: dict[str, Any] = {}
    for kind, texts in kinds.items():
        for name, weight in (pair for text in texts for pair in _pairs(kind, text)):
            other = given.setdefault("kinds", {}).setdefault(name, kind)
            if other != kind:
                raise StepError(f"--{kind} {name}: it is in --{other} too; an event type has one kind")
            if weight is not None:
                given.setdefault("weights", {})[name] = weight
    if min_value is not None:
        given["min_value"] = None if min_value == "auto" else _number("--min-value", min_value)
    if all_positive is not None:
        given["all_positive"] = all_positive
    return FeedbackOptions.parse(given, "the options").to_dict()


def _pairs(kind: Kind, text: str) -> list[tuple[str, float | None]]:
    """Parse "purchase=3,save" into names and weights."""
    pairs: list[tuple[str, float | None]] = []
    for part in text.split(","):
        name, separator, weight = part.partition("=")
        if not name.strip():
            raise StepError(f"--{kind} {text}: expected NAME,… or NAME=WEIGHT,…, such as purchase=3,save")
        number = _number(f"--{kind} {name.strip()}", weight) if separator else None
        pairs.append((canonical_event_type(name), number))
    return pairs


def _number(option: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise StepError(f"{option}: {text!r} is not a number") from error


def _check_kind(name: str, kind: Kind, weight: float | None) -> None:
    if name == IMPRESSION:
        raise ValueError(
            f"{IMPRESSION} (also written shown, display, …) is always an exposure: it is never part of a "
            "history; use another name in the data for an interaction"
        )
    if name == RATE and kind is Kind.POSITIVE and weight is None:
        raise ValueError(f"{RATE}: a rating is positive or negative by its value; use --min-value")


def _problem(problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"unknown key {key!r}; expected one of {', '.join(FeedbackOptions.model_fields)}"
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{key}: {message}" if key else message
