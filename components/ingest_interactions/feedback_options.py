"""What the user says about the feedback that event types and ratings give."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from components.errors import StepError
from feature_repo.event_types import Kind


@dataclass(frozen=True)
class FeedbackOptions:
    """Kinds and weights by canonical event type; they come before the known event types."""

    kinds: Mapping[str, Kind] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    min_value: float | None = None  # ratings from here on are positive; None: learned
    all_positive: bool = False

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "FeedbackOptions":
        """Return the options in a pipeline parameter; `{}` for none.

        Raises:
            StepError: an unknown key, or a value that is not allowed.
        """
        allowed = [f.name for f in fields(cls)]
        if unknown := sorted(values.keys() - set(allowed)):
            raise StepError(f"feedback: unknown key {unknown[0]!r}; expected {', '.join(allowed)}")
        try:
            kinds = {name: Kind(kind) for name, kind in values.get("kinds", {}).items()}
        except ValueError as error:
            raise StepError(f"feedback: {error}; expected one of {', '.join(Kind)}") from error
        return cls(**{**values, "kinds": kinds})

    def to_dict(self) -> dict[str, Any]:
        """Return a dict for JSON."""
        return asdict(self)
