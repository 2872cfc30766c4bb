"""What a candidate would earn on the answers that a scenario explored."""

from dataclasses import dataclass

from components.evaluate_online.off_policy import OffPolicyEvaluation


@dataclass(frozen=True)
class EstimatedClicks:
    """Clicks per answer, on answers that the live version explored, estimated for the candidate."""

    scenario: str
    answers: int
    effective: float  # how many answers of the candidate's own they are worth
    live: float
    candidate: float
    difference: tuple[float, float]  # of the candidate minus the live version, 95 %, paired


@dataclass(frozen=True)
class CandidateEvaluation:
    """The estimates for a release, and what the live one earned on the same answers."""

    scenario: str
    evaluation: OffPolicyEvaluation
    live: float  # mean clicks per answer
    left_out: dict[str, int]  # reason -> answers

    def as_evidence(self) -> EstimatedClicks:
        """Return SNIPS, with an interval of the difference that holds those of SNIPS and DR."""
        by_method = {each.method: each for each in self.evaluation.estimates}
        snips, dr = by_method["SNIPS"], by_method["DR"]
        return EstimatedClicks(
            self.scenario,
            self.evaluation.answers,
            self.evaluation.effective,
            self.live,
            snips.value,
            (min(snips.difference[0], dr.difference[0]), max(snips.difference[1], dr.difference[1])),
        )
