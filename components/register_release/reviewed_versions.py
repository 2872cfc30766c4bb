"""The registered versions as the review history knows them: quick to read, also without MLflow."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from components.register_release.review_history import Act, Record

# The act that decides about a version -> its state of review; an interrupted promotion decides nothing.
_REVIEWS: Final = {
    Act.REGISTERED: "waiting",
    Act.MADE_CANDIDATE: "waiting",
    Act.INTERRUPTED: "waiting",
    Act.APPROVED: "approved",
    Act.REJECTED: "rejected",
    Act.SMOKE_TEST_FAILED: "failed its smoke test",
}


@dataclass
class ReviewedVersion:
    """A version with its last decision."""

    number: int
    review: str = "waiting"
    by: str = ""
    registered_at: str = ""  # ISO 8601, UTC; "" for a version of which the history has no registration
    figures: dict[str, Any] = field(default_factory=dict)  # those of its registration
    is_pruned: bool = False


def reviewed_versions(records: Iterable[Record]) -> list[ReviewedVersion]:
    """Return the versions of the records, newest first.

    Args:
        records: of one model, oldest first.
    """
    versions = dict[int, ReviewedVersion]()
    for record in records:
        version = versions.setdefault(record.version, ReviewedVersion(record.version))
        act = Act(record.act)
        if act == Act.REGISTERED:
            version.registered_at, version.figures = record.at, record.figures
        if act in _REVIEWS:
            version.review = _REVIEWS[act]
            version.by = "" if version.review == "waiting" else record.by
        version.is_pruned |= act == Act.PRUNED
    return sorted(versions.values(), key=lambda version: -version.number)
