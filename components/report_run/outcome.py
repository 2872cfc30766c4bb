"""How a run ended, as receivers are told."""

from dataclasses import asdict, dataclass
from typing import Any, Final

from feature_repo.counts import counted

# The longest error in a message, in characters; the log has all of it.
LONGEST_ERROR: Final = 500


@dataclass(frozen=True)
class Outcome:
    """The end of a run; None or "" for what is not known or did not happen.

    Attributes:
        run: the name of a local run, or the id of a run on Kubeflow.
        pipeline: "training" or "promotion".
        status: "succeeded", "failed" or "canceled".
        rows: interactions in the snapshot of the training.
        verdict: of the release gate: "better", "undecided" or "worse".
        version: the version that was registered or promoted.
        live: whether the run made that version live.
        report: a link to the run.
    """

    run: str
    pipeline: str
    status: str
    failed_step: str = ""
    error: str = ""
    duration_s: float | None = None
    rows: int | None = None
    verdict: str = ""
    version: int | None = None
    live: bool = False
    report: str = ""

    def message(self) -> dict[str, Any]:
        """Return the fields, and a summary in `text`, the field that Slack shows."""
        return {"text": self.text(), **asdict(self), "error": self.error[:LONGEST_ERROR]}

    def text(self) -> str:
        """Return a summary in one line; a second line has the error, and the last one the link."""
        took = f" after {_duration(self.duration_s)}" if self.duration_s is not None else ""
        parts = [f"{self.pipeline} run {self.run} {self.status}{took}"]
        if self.failed_step:
            parts[0] += f" in the step {self.failed_step}"
        if self.rows is not None:
            parts.append(counted(self.rows, "row"))
        if self.verdict:
            parts.append(self.verdict)
        if self.version is not None:
            parts.append(f"version {self.version}{' is live' if self.live else ''}")
        return "\n".join(filter(None, [", ".join(parts), self.error[:LONGEST_ERROR], self.report]))


def _duration(seconds: float) -> str:
    """Return 75.2 as "1 min 15 s"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        " ".join(f"{value} {unit}" for value, unit in ((hours, "h"), (minutes, "min"), (rest, "s")) if value)
        or "0 s"
    )
