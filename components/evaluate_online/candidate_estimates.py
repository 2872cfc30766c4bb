"""What a candidate would earn on the answers that a scenario explored."""

from dataclasses import dataclass

from components.evaluate_online.off_policy import OffPolicyEvaluation
from components.evaluate_release.release_gate import Clicks


@dataclass(frozen=True)
class CandidateEvaluation:
    """The estimates for a release, and what the live one earned on the same answers."""

    scenario: str
    evaluation: OffPolicyEvaluation
    live: float  # mean clicks per answer
    left_out: dict[str, int]  # reason -> answers

    def as_evidence(self) -> Clicks:
        """Return SNIPS, with an interval of the difference that holds those of SNIPS and DR."""
        by_method = {each.method: each for each in self.evaluation.estimates}
        snips, dr = by_method["SNIPS"], by_method["DR"]
        return Clicks(
            self.scenario,
            self.evaluation.answers,
            self.evaluation.effective,
            self.live,
            snips.value,
            (min(snips.difference[0], dr.difference[0]), max(snips.difference[1], dr.difference[1])),
        )
