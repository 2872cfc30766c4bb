"""What the off-policy evaluation of a candidate needs: the scenarios that explore, and its thresholds."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Self

from components.evaluate_online.off_policy import MIN_EFFECTIVE, MIN_SUPPORT
from serving.ranking.scenarios import Scenario


@dataclass(frozen=True)
class OffPolicyOptions:
    """Which answers are used, and when they suffice.

    Args:
        scenarios: name -> scenario, of all that a request can name.
        days: the length of the window of answers that are used; 0 for none.
        answers: at most so many, the newest.
        min_effective, min_support: see off_policy.evaluate_off_policy.
        calibration_clicks: with fewer clicks the click probability is calibrated on held-out choices.
    """

    scenarios: Mapping[str, Scenario] = field(default_factory=dict)
    days: float = 7.0
    answers: int = 2_000
    min_effective: float = MIN_EFFECTIVE
    min_support: float = MIN_SUPPORT
    calibration_clicks: int = 500

    @property
    def exploring(self) -> list[str]:
        """The names of the scenarios that explore."""
        return [name for name, scenario in self.scenarios.items() if scenario.exploration]

    def to_json(self) -> str:
        """Return the options as text, in which no number changes on its way through a pipeline."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        scenarios = {name: each.model_dump(mode="json") for name, each in self.scenarios.items()}
        return json.dumps(values | {"scenarios": scenarios})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read the text of `to_json`; "" gives options that use no answers."""
        if not text:
            return cls(days=0)
        values = json.loads(text)
        scenarios = {name: Scenario(**each) for name, each in values.pop("scenarios").items()}
        return cls(scenarios, **values)
