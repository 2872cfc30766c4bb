"""What the service answers, as its client sees it too."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Degradation:
    """A stage that was cut, why, and what answered in its place."""

    stage: str
    reason: str
    fallback: str


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One item; its score compares within one answer only."""

    item_id: str
    title: str
    categories: list[str]
    score: float
    sources: list[str]
    reason: str
    contributions: dict[str, float] = field(
        default_factory=dict
    )  # with explain: term -> its share of the score
    because_item_ids: list[str] = field(default_factory=list)  # with explain
    reordered_by: str = ""  # with explain: the key of the scenario that brought it to its place
    click_probability: float | None = None  # where a scenario ranks by expected value


@dataclass(frozen=True, slots=True)
class Removed:
    """An item that would be in the answer by its score, and the rule that removed it."""

    item_id: str
    title: str
    score: float
    rule: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Items for a user, best first, and what they rest on."""

    recommendations: list[Recommendation]
    release_version: int
    request_id: str
    basis: str
    degraded: list[Degradation] = field(default_factory=list)
    removed: list[Removed] = field(default_factory=list)  # with explain


@dataclass(frozen=True, slots=True)
class Recorded:
    """The ids in request order, how many were new, and the items that the live release doesn't know."""

    interaction_ids: list[str]
    recorded: int
    unknown_item_ids: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CategoryInterest:
    """The weights of one user's categories sum to 1, now and in the long term."""

    category: str
    weight: float
    long_term_weight: float


@dataclass(frozen=True, slots=True)
class UserInterests:
    """What a user is interested in; `shift` is the total variation distance from the long term, 0 to 1."""

    interests: list[CategoryInterest]
    shift: float
    release_version: int
    degraded: list[Degradation] = field(default_factory=list)
