import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Basis(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BASIS_UNSPECIFIED: _ClassVar[Basis]
    BASIS_HISTORY: _ClassVar[Basis]
    BASIS_REQUEST_HISTORY: _ClassVar[Basis]
    BASIS_PROFILE: _ClassVar[Basis]
    BASIS_SEGMENT_TRENDING: _ClassVar[Basis]
    BASIS_TRENDING: _ClassVar[Basis]
    BASIS_SEARCH: _ClassVar[Basis]

class Stage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STAGE_UNSPECIFIED: _ClassVar[Stage]
    STAGE_HISTORY: _ClassVar[Stage]
    STAGE_INTEREST: _ClassVar[Stage]
    STAGE_RANKING: _ClassVar[Stage]
    STAGE_FOLLOWED_USERS: _ClassVar[Stage]
    STAGE_SOURCES: _ClassVar[Stage]
    STAGE_FREQUENCY_CAP: _ClassVar[Stage]
    STAGE_IMPRESSIONS: _ClassVar[Stage]
    STAGE_EXPERIMENT: _ClassVar[Stage]
    STAGE_EXPOSURE_BALANCE: _ClassVar[Stage]
    STAGE_PREFERENCES: _ClassVar[Stage]

class Fallback(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FALLBACK_UNSPECIFIED: _ClassVar[Fallback]
    FALLBACK_INTERACTION_LOG: _ClassVar[Fallback]
    FALLBACK_SNAPSHOT: _ClassVar[Fallback]
    FALLBACK_REQUEST_HISTORY: _ClassVar[Fallback]
    FALLBACK_COLLABORATIVE_FILTERS: _ClassVar[Fallback]
    FALLBACK_TRENDING: _ClassVar[Fallback]
    FALLBACK_PARTIAL_HISTORIES: _ClassVar[Fallback]
    FALLBACK_ALL_SOURCES: _ClassVar[Fallback]
    FALLBACK_NO_FREQUENCY_CAP: _ClassVar[Fallback]
    FALLBACK_NOT_RECORDED: _ClassVar[Fallback]
    FALLBACK_NEWEST_INTERACTIONS: _ClassVar[Fallback]
    FALLBACK_LIVE_RELEASE: _ClassVar[Fallback]
    FALLBACK_UNBALANCED_EXPOSURE: _ClassVar[Fallback]
    FALLBACK_NOT_PERSONALIZED: _ClassVar[Fallback]

class Source(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SOURCE_UNSPECIFIED: _ClassVar[Source]
    SOURCE_INTEREST: _ClassVar[Source]
    SOURCE_TRANSITIONS: _ClassVar[Source]
    SOURCE_ITEM_COSINE: _ClassVar[Source]
    SOURCE_USER_COSINE: _ClassVar[Source]
    SOURCE_EASE: _ClassVar[Source]
    SOURCE_SEQUENCE_KNN: _ClassVar[Source]
    SOURCE_POPULARITY: _ClassVar[Source]
    SOURCE_TREND: _ClassVar[Source]
    SOURCE_FRESH: _ClassVar[Source]
    SOURCE_FOLLOWED: _ClassVar[Source]
    SOURCE_SEARCH: _ClassVar[Source]

class Rule(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RULE_UNSPECIFIED: _ClassVar[Rule]
    RULE_AVAILABILITY: _ClassVar[Rule]
    RULE_SEEN: _ClassVar[Rule]
    RULE_EXCLUDE_ITEM_IDS: _ClassVar[Rule]
    RULE_ALLOW_ITEM_IDS: _ClassVar[Rule]
    RULE_DOMAIN: _ClassVar[Rule]
    RULE_CATEGORIES: _ClassVar[Rule]
    RULE_EXCLUDE_CATEGORIES: _ClassVar[Rule]
    RULE_FREQUENCY_CAP: _ClassVar[Rule]
    RULE_SOURCES: _ClassVar[Rule]
    RULE_BIDS: _ClassVar[Rule]
    RULE_EXPECTED_VALUE: _ClassVar[Rule]
    RULE_MAX_PER_CATEGORY: _ClassVar[Rule]
    RULE_MIN_FRESH_SHARE: _ClassVar[Rule]
    RULE_DIVERSITY: _ClassVar[Rule]
    RULE_DISLIKED: _ClassVar[Rule]
    RULE_LIKE_DISLIKED: _ClassVar[Rule]
    RULE_EXPLORATION: _ClassVar[Rule]
    RULE_BALANCE_EXPOSURE: _ClassVar[Rule]
BASIS_UNSPECIFIED: Basis
BASIS_HISTORY: Basis
BASIS_REQUEST_HISTORY: Basis
BASIS_PROFILE: Basis
BASIS_SEGMENT_TRENDING: Basis
BASIS_TRENDING: Basis
BASIS_SEARCH: Basis
STAGE_UNSPECIFIED: Stage
STAGE_HISTORY: Stage
STAGE_INTEREST: Stage
STAGE_RANKING: Stage
STAGE_FOLLOWED_USERS: Stage
STAGE_SOURCES: Stage
STAGE_FREQUENCY_CAP: Stage
STAGE_IMPRESSIONS: Stage
STAGE_EXPERIMENT: Stage
STAGE_EXPOSURE_BALANCE: Stage
STAGE_PREFERENCES: Stage
FALLBACK_UNSPECIFIED: Fallback
FALLBACK_INTERACTION_LOG: Fallback
FALLBACK_SNAPSHOT: Fallback
FALLBACK_REQUEST_HISTORY: Fallback
FALLBACK_COLLABORATIVE_FILTERS: Fallback
FALLBACK_TRENDING: Fallback
FALLBACK_PARTIAL_HISTORIES: Fallback
FALLBACK_ALL_SOURCES: Fallback
FALLBACK_NO_FREQUENCY_CAP: Fallback
FALLBACK_NOT_RECORDED: Fallback
FALLBACK_NEWEST_INTERACTIONS: Fallback
FALLBACK_LIVE_RELEASE: Fallback
FALLBACK_UNBALANCED_EXPOSURE: Fallback
FALLBACK_NOT_PERSONALIZED: Fallback
SOURCE_UNSPECIFIED: Source
SOURCE_INTEREST: Source
SOURCE_TRANSITIONS: Source
SOURCE_ITEM_COSINE: Source
SOURCE_USER_COSINE: Source
SOURCE_EASE: Source
SOURCE_SEQUENCE_KNN: Source
SOURCE_POPULARITY: Source
SOURCE_TREND: Source
SOURCE_FRESH: Source
SOURCE_FOLLOWED: Source
SOURCE_SEARCH: Source
RULE_UNSPECIFIED: Rule
RULE_AVAILABILITY: Rule
RULE_SEEN: Rule
RULE_EXCLUDE_ITEM_IDS: Rule
RULE_ALLOW_ITEM_IDS: Rule
RULE_DOMAIN: Rule
RULE_CATEGORIES: Rule
RULE_EXCLUDE_CATEGORIES: Rule
RULE_FREQUENCY_CAP: Rule
RULE_SOURCES: Rule
RULE_BIDS: Rule
RULE_EXPECTED_VALUE: Rule
RULE_MAX_PER_CATEGORY: Rule
RULE_MIN_FRESH_SHARE: Rule
RULE_DIVERSITY: Rule
RULE_DISLIKED: Rule
RULE_LIKE_DISLIKED: Rule
RULE_EXPLORATION: Rule
RULE_BALANCE_EXPOSURE: Rule

class Interaction(_message.Message):
    __slots__ = ("interaction_id", "user_id", "item_id", "event_type", "value", "timestamp", "domain", "query", "request_id")
    INTERACTION_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    interaction_id: str
    user_id: str
    item_id: str
    event_type: str
    value: float
    timestamp: _timestamp_pb2.Timestamp
    domain: str
    query: str
    request_id: str
    def __init__(self, interaction_id: _Optional[str] = ..., user_id: _Optional[str] = ..., item_id: _Optional[str] = ..., event_type: _Optional[str] = ..., value: _Optional[float] = ..., timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., domain: _Optional[str] = ..., query: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class RecommendRequest(_message.Message):
    __slots__ = ("user_id", "k", "history", "exclude_item_ids", "allow_item_ids", "domain", "categories", "include_seen", "explain", "request_id", "scenario", "exclude_categories", "followed_user_ids", "bids", "personalized")
    class BidsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    ALLOW_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_SEEN_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SCENARIO_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    FOLLOWED_USER_IDS_FIELD_NUMBER: _ClassVar[int]
    BIDS_FIELD_NUMBER: _ClassVar[int]
    PERSONALIZED_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    k: int
    history: _containers.RepeatedCompositeFieldContainer[Interaction]
    exclude_item_ids: _containers.RepeatedScalarFieldContainer[str]
    allow_item_ids: _containers.RepeatedScalarFieldContainer[str]
    domain: str
    categories: _containers.RepeatedScalarFieldContainer[str]
    include_seen: bool
    explain: bool
    request_id: str
    scenario: str
    exclude_categories: _containers.RepeatedScalarFieldContainer[str]
    followed_user_ids: _containers.RepeatedScalarFieldContainer[str]
    bids: _containers.ScalarMap[str, float]
    personalized: bool
    def __init__(self, user_id: _Optional[str] = ..., k: _Optional[int] = ..., history: _Optional[_Iterable[_Union[Interaction, _Mapping]]] = ..., exclude_item_ids: _Optional[_Iterable[str]] = ..., allow_item_ids: _Optional[_Iterable[str]] = ..., domain: _Optional[str] = ..., categories: _Optional[_Iterable[str]] = ..., include_seen: _Optional[bool] = ..., explain: _Optional[bool] = ..., request_id: _Optional[str] = ..., scenario: _Optional[str] = ..., exclude_categories: _Optional[_Iterable[str]] = ..., followed_user_ids: _Optional[_Iterable[str]] = ..., bids: _Optional[_Mapping[str, float]] = ..., personalized: _Optional[bool] = ...) -> None: ...

class Recommendation(_message.Message):
    __slots__ = ("item_id", "title", "categories", "score", "sources", "reason", "contributions", "because_item_ids", "reordered_by", "click_probability")
    class ContributionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTIONS_FIELD_NUMBER: _ClassVar[int]
    BECAUSE_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    REORDERED_BY_FIELD_NUMBER: _ClassVar[int]
    CLICK_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    title: str
    categories: _containers.RepeatedScalarFieldContainer[str]
    score: float
    sources: _containers.RepeatedScalarFieldContainer[Source]
    reason: str
    contributions: _containers.ScalarMap[str, float]
    because_item_ids: _containers.RepeatedScalarFieldContainer[str]
    reordered_by: Rule
    click_probability: float
    def __init__(self, item_id: _Optional[str] = ..., title: _Optional[str] = ..., categories: _Optional[_Iterable[str]] = ..., score: _Optional[float] = ..., sources: _Optional[_Iterable[_Union[Source, str]]] = ..., reason: _Optional[str] = ..., contributions: _Optional[_Mapping[str, float]] = ..., because_item_ids: _Optional[_Iterable[str]] = ..., reordered_by: _Optional[_Union[Rule, str]] = ..., click_probability: _Optional[float] = ...) -> None: ...

class Removed(_message.Message):
    __slots__ = ("item_id", "title", "score", "rule")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    title: str
    score: float
    rule: Rule
    def __init__(self, item_id: _Optional[str] = ..., title: _Optional[str] = ..., score: _Optional[float] = ..., rule: _Optional[_Union[Rule, str]] = ...) -> None: ...

class RemovedCount(_message.Message):
    __slots__ = ("rule", "items")
    RULE_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    rule: Rule
    items: int
    def __init__(self, rule: _Optional[_Union[Rule, str]] = ..., items: _Optional[int] = ...) -> None: ...

class DislikeEffect(_message.Message):
    __slots__ = ("reason", "category", "because_item_ids")
    REASON_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    BECAUSE_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    reason: str
    category: str
    because_item_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, reason: _Optional[str] = ..., category: _Optional[str] = ..., because_item_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class Degradation(_message.Message):
    __slots__ = ("stage", "reason", "fallback")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_FIELD_NUMBER: _ClassVar[int]
    stage: Stage
    reason: str
    fallback: Fallback
    def __init__(self, stage: _Optional[_Union[Stage, str]] = ..., reason: _Optional[str] = ..., fallback: _Optional[_Union[Fallback, str]] = ...) -> None: ...

class RecommendResponse(_message.Message):
    __slots__ = ("recommendations", "release_version", "request_id", "basis", "degraded", "removed", "dislike_effects", "removed_counts")
    RECOMMENDATIONS_FIELD_NUMBER: _ClassVar[int]
    RELEASE_VERSION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    BASIS_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    DISLIKE_EFFECTS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_COUNTS_FIELD_NUMBER: _ClassVar[int]
    recommendations: _containers.RepeatedCompositeFieldContainer[Recommendation]
    release_version: int
    request_id: str
    basis: Basis
    degraded: _containers.RepeatedCompositeFieldContainer[Degradation]
    removed: _containers.RepeatedCompositeFieldContainer[Removed]
    dislike_effects: _containers.RepeatedCompositeFieldContainer[DislikeEffect]
    removed_counts: _containers.RepeatedCompositeFieldContainer[RemovedCount]
    def __init__(self, recommendations: _Optional[_Iterable[_Union[Recommendation, _Mapping]]] = ..., release_version: _Optional[int] = ..., request_id: _Optional[str] = ..., basis: _Optional[_Union[Basis, str]] = ..., degraded: _Optional[_Iterable[_Union[Degradation, _Mapping]]] = ..., removed: _Optional[_Iterable[_Union[Removed, _Mapping]]] = ..., dislike_effects: _Optional[_Iterable[_Union[DislikeEffect, _Mapping]]] = ..., removed_counts: _Optional[_Iterable[_Union[RemovedCount, _Mapping]]] = ...) -> None: ...

class RecordInteractionsRequest(_message.Message):
    __slots__ = ("interactions",)
    INTERACTIONS_FIELD_NUMBER: _ClassVar[int]
    interactions: _containers.RepeatedCompositeFieldContainer[Interaction]
    def __init__(self, interactions: _Optional[_Iterable[_Union[Interaction, _Mapping]]] = ...) -> None: ...

class RecordInteractionsResponse(_message.Message):
    __slots__ = ("interaction_ids", "recorded", "unknown_item_ids")
    INTERACTION_IDS_FIELD_NUMBER: _ClassVar[int]
    RECORDED_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    interaction_ids: _containers.RepeatedScalarFieldContainer[str]
    recorded: int
    unknown_item_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, interaction_ids: _Optional[_Iterable[str]] = ..., recorded: _Optional[int] = ..., unknown_item_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class GetInterestsRequest(_message.Message):
    __slots__ = ("user_id", "k")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    k: int
    def __init__(self, user_id: _Optional[str] = ..., k: _Optional[int] = ...) -> None: ...

class Interest(_message.Message):
    __slots__ = ("category", "weight", "long_term_weight")
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    LONG_TERM_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    category: str
    weight: float
    long_term_weight: float
    def __init__(self, category: _Optional[str] = ..., weight: _Optional[float] = ..., long_term_weight: _Optional[float] = ...) -> None: ...

class GetInterestsResponse(_message.Message):
    __slots__ = ("interests", "shift", "release_version", "degraded")
    INTERESTS_FIELD_NUMBER: _ClassVar[int]
    SHIFT_FIELD_NUMBER: _ClassVar[int]
    RELEASE_VERSION_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    interests: _containers.RepeatedCompositeFieldContainer[Interest]
    shift: float
    release_version: int
    degraded: _containers.RepeatedCompositeFieldContainer[Degradation]
    def __init__(self, interests: _Optional[_Iterable[_Union[Interest, _Mapping]]] = ..., shift: _Optional[float] = ..., release_version: _Optional[int] = ..., degraded: _Optional[_Iterable[_Union[Degradation, _Mapping]]] = ...) -> None: ...

class ForecastInterestsRequest(_message.Message):
    __slots__ = ("user_id", "steps", "k")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    steps: int
    k: int
    def __init__(self, user_id: _Optional[str] = ..., steps: _Optional[int] = ..., k: _Optional[int] = ...) -> None: ...

class ExpectedItem(_message.Message):
    __slots__ = ("item_id", "title", "probability")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    title: str
    probability: float
    def __init__(self, item_id: _Optional[str] = ..., title: _Optional[str] = ..., probability: _Optional[float] = ...) -> None: ...

class ExpectedCategory(_message.Message):
    __slots__ = ("category", "probability")
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    category: str
    probability: float
    def __init__(self, category: _Optional[str] = ..., probability: _Optional[float] = ...) -> None: ...

class InterestPoint(_message.Message):
    __slots__ = ("step", "items", "categories", "probability")
    STEP_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    step: int
    items: _containers.RepeatedCompositeFieldContainer[ExpectedItem]
    categories: _containers.RepeatedCompositeFieldContainer[ExpectedCategory]
    probability: float
    def __init__(self, step: _Optional[int] = ..., items: _Optional[_Iterable[_Union[ExpectedItem, _Mapping]]] = ..., categories: _Optional[_Iterable[_Union[ExpectedCategory, _Mapping]]] = ..., probability: _Optional[float] = ...) -> None: ...

class ForecastInterestsResponse(_message.Message):
    __slots__ = ("points", "release_version", "degraded")
    POINTS_FIELD_NUMBER: _ClassVar[int]
    RELEASE_VERSION_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    points: _containers.RepeatedCompositeFieldContainer[InterestPoint]
    release_version: int
    degraded: _containers.RepeatedCompositeFieldContainer[Degradation]
    def __init__(self, points: _Optional[_Iterable[_Union[InterestPoint, _Mapping]]] = ..., release_version: _Optional[int] = ..., degraded: _Optional[_Iterable[_Union[Degradation, _Mapping]]] = ...) -> None: ...

class EraseUserRequest(_message.Message):
    __slots__ = ("user_id",)
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    def __init__(self, user_id: _Optional[str] = ...) -> None: ...

class EraseUserResponse(_message.Message):
    __slots__ = ("interactions", "exposures")
    INTERACTIONS_FIELD_NUMBER: _ClassVar[int]
    EXPOSURES_FIELD_NUMBER: _ClassVar[int]
    interactions: int
    exposures: int
    def __init__(self, interactions: _Optional[int] = ..., exposures: _Optional[int] = ...) -> None: ...

class SetPreferencesRequest(_message.Message):
    __slots__ = ("user_id", "personalized")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    PERSONALIZED_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    personalized: bool
    def __init__(self, user_id: _Optional[str] = ..., personalized: _Optional[bool] = ...) -> None: ...

class SetPreferencesResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
