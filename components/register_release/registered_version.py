"""A registered version: its number, its aliases and tags, and what they mean."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

# Aliases of the registered model.
CANDIDATE = "candidate"  # the newest version, until it is reviewed
LIVE = "live"  # the version that the recommender serves
PREVIOUS = "previous"  # the version that a rollback makes live

# The value of the tag `review`.
WAITING, APPROVED, REJECTED, FAILED = "waiting", "approved", "rejected", "failed its smoke test"


@dataclass(frozen=True)
class Version:
    """A registered release."""

    number: int
    run_id: str
    created_at: float  # seconds since the epoch
    aliases: list[str]
    tags: dict[str, str]

    @property
    def review(self) -> str:
        return self.tags.get("review", WAITING)


def version_of(entry: "ModelVersion", aliases: dict[str, int]) -> Version:
    """Return an entry of MLflow with the aliases that refer to it."""
    number = int(entry.version)
    return Version(
        number=number,
        run_id=entry.run_id,
        created_at=entry.creation_timestamp / 1000,
        aliases=sorted(alias for alias, target in aliases.items() if target == number),
        tags=dict(entry.tags),
    )


def figures_of(tags: dict[str, str]) -> dict[str, Any]:
    """Return the tags of a version that do not come from a decision."""
    return {
        name: value
        for name, value in tags.items()
        if not name.startswith("review") and value and name != "went_live_at"
    }


def ranges(numbers: Iterable[int]) -> str:
    """Return numbers as text, consecutive ones as a range: "1–3, 7"."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][-1] + 1:
            parts[-1][1:] = [number]
        else:
            parts.append([number])
    return ", ".join("–".join(map(str, part)) for part in parts)
