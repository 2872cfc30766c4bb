"""The answers of the service, as the server builds them and the client returns them."""

from dataclasses import dataclass, field
from enum import StrEnum


class Basis(StrEnum):
    """The data that the ranking of an answer is based on."""

    UNSPECIFIED = "unspecified"  # a newer server sent a value that this version does not know
    HISTORY = "history"
    REQUEST_HISTORY = "request_history"
    PROFILE = "profile"
    SEGMENT_TRENDING = "segment_trending"
    TRENDING = "trending"
    SEARCH = "search"


class Stage(StrEnum):
    """A stage of an answer that can fail or run out of time."""

    UNSPECIFIED = "unspecified"
    HISTORY = "history"
    INTEREST = "interest"
    RANKING = "ranking"
    FOLLOWED_USERS = "followed_users"
    SOURCES = "sources"
    FREQUENCY_CAP = "frequency_cap"
    IMPRESSIONS = "impressions"
    EXPERIMENT = "experiment"
    EXPOSURE_BALANCE = "exposure_balance"
    PREFERENCES = "preferences"


class Fallback(StrEnum):
    """The replacement for a stage that failed or ran out of time."""

    UNSPECIFIED = "unspecified"
    INTERACTION_LOG = "interaction_log"
    SNAPSHOT = "snapshot"
    REQUEST_HISTORY = "request_history"
    COLLABORATIVE_FILTERS = "collaborative_filters"
    TRENDING = "trending"
    PARTIAL_HISTORIES = "partial_histories"
    ALL_SOURCES = "all_sources"
    NO_FREQUENCY_CAP = "no_frequency_cap"
    NOT_RECORDED = "not_recorded"
    NEWEST_INTERACTIONS = "newest_interactions"
    LIVE_RELEASE = "live_release"
    UNBALANCED_EXPOSURE = "unbalanced_exposure"
    NOT_PERSONALIZED = "not_personalized"


class Source(StrEnum):
    """A source of candidates."""

    UNSPECIFIED = "unspecified"
    INTEREST = "interest"
    TRANSITIONS = "transitions"
    ITEM_COSINE = "item_cosine"
    USER_COSINE = "user_cosine"
    EASE = "ease"
    SEQUENCE_KNN = "sequence_knn"
    POPULARITY = "popularity"
    TREND = "trend"
    FRESH = "fresh"
    FOLLOWED = "followed"
    SEARCH = "search"


class Rule(StrEnum):
    """A rule, a field of the request or a key of the scenario that removed or moved an item."""

    UNSPECIFIED = "unspecified"
    AVAILABILITY = "availability"
    SEEN = "seen"
    EXCLUDE_ITEM_IDS = "exclude_item_ids"
    ALLOW_ITEM_IDS = "allow_item_ids"
    DOMAIN = "domain"
    CATEGORIES = "categories"
    EXCLUDE_CATEGORIES = "exclude_categories"
    FREQUENCY_CAP = "frequency_cap"
    SOURCES = "sources"
    BIDS = "bids"
    EXPECTED_VALUE = "expected_value"
    MAX_PER_CATEGORY = "max_per_category"
    MIN_FRESH_SHARE = "min_fresh_share"
    DIVERSITY = "diversity"
    DISLIKED = "disliked"
    LIKE_DISLIKED = "like_disliked"
    EXPLORATION = "exploration"
    BALANCE_EXPOSURE = "balance_exposure"


@dataclass(frozen=True, slots=True)
class Degradation:
    """A stage that failed or ran out of time, the reason for the operator, and the fallback."""

    stage: Stage
    reason: str
    fallback: Fallback


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One item; scores are comparable within one answer only."""

    item_id: str
    title: str
    categories: list[str]
    score: float
    sources: list[Source]
    reason: str
    contributions: dict[str, float] = field(default_factory=dict)  # with explain: feature -> part of score
    because_item_ids: list[str] = field(default_factory=list)  # with explain
    reordered_by: Rule | None = None  # with explain: the scenario's key that set this position
    click_probability: float | None = None  # set when a scenario ranks by expected value


@dataclass(frozen=True, slots=True)
class Removed:
    """An item whose score is high enough for the answer, and the rule that removed it."""

    item_id: str
    title: str
    score: float
    rule: Rule


@dataclass(frozen=True, slots=True)
class RemovedCount:
    """How many items of the catalog a rule removed; an item counts at the first rule that removes it."""

    rule: Rule
    items: int


@dataclass(frozen=True, slots=True)
class DislikeEffect:
    """What the answer has less of, and the disliked items that caused it, newest first."""

    reason: str  # a sentence for the user: "less Horror: you disliked Shining, The (1980)"
    category: str  # "" for items that are similar to the disliked ones without a common category
    because_item_ids: list[str]


@dataclass(frozen=True, slots=True)
class Answer:
    """Items for a user, best first."""

    recommendations: list[Recommendation]
    release_version: int
    request_id: str
    basis: Basis
    degraded: list[Degradation] = field(default_factory=list)
    removed: list[Removed] = field(default_factory=list)  # with explain
    # Empty if no dislike changed the answer.
    dislike_effects: list[DislikeEffect] = field(default_factory=list)
    # Why there are fewer than k items; empty if there are k.
    removed_counts: list[RemovedCount] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A finished recording: the ids in request order, the number of new ones, and the unknown items."""

    interaction_ids: list[str]
    recorded: int
    unknown_item_ids: list[str] = field(default_factory=list)  # recorded, but not in the live release


@dataclass(frozen=True, slots=True)
class CategoryInterest:
    """A category's weight, recent and long-term; each sums to 1 over a user's categories."""

    category: str
    weight: float
    long_term_weight: float


@dataclass(frozen=True, slots=True)
class ExpectedItem:
    """An item, and the probability that the user chooses it at a step."""

    item_id: str
    title: str
    probability: float


@dataclass(frozen=True, slots=True)
class ExpectedCategory:
    """A category, and the probability that the user chooses an item of it at a step."""

    category: str
    probability: float


@dataclass(frozen=True, slots=True)
class InterestPoint:
    """What the user is expected to choose at a step; 1 is the next choice."""

    step: int
    items: list[ExpectedItem]  # most probable first
    categories: list[ExpectedCategory]  # most probable first
    probability: float  # that the choice is one of `items`: how sure the forecast is


@dataclass(frozen=True, slots=True)
class InterestForecast:
    """A user's interest at the next steps; no points for a user who has chosen nothing."""

    points: list[InterestPoint]
    release_version: int
    degraded: list[Degradation] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class UserInterests:
    """A user's categories; `shift` is the total variation distance from the long term, 0 to 1."""

    interests: list[CategoryInterest]
    shift: float
    release_version: int
    degraded: list[Degradation] = field(default_factory=list)
