"""Validation of requests: errors are InvalidRequest with the field, its value and what is allowed."""

import hashlib
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Final

from feature_repo.bounds import CONTROL, EARLIEST_US, MAX_LEAD_US, MAX_TEXT, MAX_VALUE
from feature_repo.contract import FORECAST_STEPS, MAX_QUERY_LENGTH
from feature_repo.event_types import SEARCH, canonical_event_type, default_event_type
from feature_repo.interaction import Interaction
from serving.configuration.settings import ServingSettings
from serving.errors import InvalidRequest
from serving.ordered_id import ordered_id
from serving.protos import recommender_pb2 as pb
from serving.ranking.request import DEFAULT_K, NO_SCENARIO
from serving.ranking.scenarios import Scenario

MAX_IDS: Final = 10_000
MAX_FOLLOWED: Final = 1_000


@dataclass(frozen=True)
class RequestLimits:
    """The largest allowed sizes of the parts of one request."""

    max_k: int = 1000
    max_explained_k: int = 100
    max_history: int = 1000
    max_record: int = 1000

    @classmethod
    def of(cls, settings: ServingSettings) -> "RequestLimits":
        return cls(settings.max_k, settings.max_explained_k, settings.max_history, settings.max_record)

    @cached_property
    def max_elements(self) -> dict[str, int]:
        """The lists of a RecommendRequest and the most elements of each."""
        lists = ("exclude_item_ids", "allow_item_ids", "categories", "exclude_categories", "bids")
        return {
            "history": self.max_history,
            "followed_user_ids": MAX_FOLLOWED,
            **dict.fromkeys(lists, MAX_IDS),
        }

    @cached_property
    def countless_bytes(self) -> int:
        """A shorter request exceeds no limit of max_elements: an element takes at least two bytes."""
        return 2 * min(self.max_elements.values())


def read_k(k: int, limits: RequestLimits, explain: bool = False) -> int:
    """Return the number of items; DEFAULT_K for 0."""
    if k > limits.max_k:
        raise InvalidRequest.of("k", k, f"0 (for {DEFAULT_K}) to {limits.max_k}")
    if explain and k > limits.max_explained_k:
        allowed = (
            f"0 (for {DEFAULT_K}) to {limits.max_explained_k} with explain; ask for more without explain"
        )
        raise InvalidRequest.of("k", k, allowed)
    return k or DEFAULT_K


def read_steps(steps: int) -> int:
    """Return the number of steps of a forecast; FORECAST_STEPS for 0."""
    if steps > FORECAST_STEPS:
        raise InvalidRequest.of("steps", steps, f"0 (for {FORECAST_STEPS}) to {FORECAST_STEPS}")
    return steps or FORECAST_STEPS


def check_counts(request: pb.RecommendRequest, limits: RequestLimits) -> None:
    """Check the number of elements of each list, before any of them is read: that may take long."""
    if request.ByteSize() < limits.countless_bytes:
        return
    for field, value in request.ListFields():
        maximum = limits.max_elements.get(field.name)
        if maximum is not None and len(value) > maximum:
            raise InvalidRequest.of(field.name, f"{len(value)} elements", f"at most {maximum} elements")


def check_record_count(request: pb.RecordInteractionsRequest, limits: RequestLimits) -> None:
    """Check the number of interactions to record."""
    if not 1 <= len(request.interactions) <= limits.max_record:
        raise InvalidRequest.of(
            "interactions", f"{len(request.interactions)} interactions", f"1 to {limits.max_record}"
        )


def read_id(field: str, value: str, empty: bool = False) -> str:
    """Check an id: 1 (0 with `empty`) to 256 characters, none of them a control character."""
    if not value and not empty:
        raise InvalidRequest.of(field, value, "an id that is not empty")
    if len(value) > MAX_TEXT:
        raise InvalidRequest.of(field, value, f"at most {MAX_TEXT} characters, not {len(value)}")
    if CONTROL.search(value):
        raise InvalidRequest.of(field, value, "no control characters")
    return value


def read_ids(field: str, values: Iterable[str]) -> frozenset[str]:
    """Return the distinct ids; each must be valid for read_id."""
    return frozenset(read_id(field, value) for value in values)


def read_scenario(name: str, scenarios: Mapping[str, Scenario]) -> Scenario:
    """Return the scenario of this name; NO_SCENARIO for an empty name."""
    if name and name not in scenarios:
        names = ", ".join(sorted(scenarios)) or "none, because this server has no scenarios"
        raise InvalidRequest.of("scenario", name, f"one of {names}")
    return scenarios[name] if name else NO_SCENARIO


def read_followed(user_ids: Sequence[str]) -> list[str]:
    """Return the distinct ids in request order."""
    return list(dict.fromkeys(read_id("followed_user_ids", user_id) for user_id in user_ids))


def read_bids(bids: Mapping[str, float], scenario: Scenario) -> dict[str, float]:
    """Return item id -> bid; a scenario that ranks by expected value requires bids, others allow none."""
    if (scenario.objective == "expected_value") != bool(bids):
        allowed = "no bids" if bids else "a bid for each item to rank"
        raise InvalidRequest.of("bids", f"{len(bids)} bids", f"{allowed} in scenario {scenario.name!r}")
    for item_id, bid in bids.items():
        read_id("bids", item_id)
        if not 0 <= bid <= MAX_VALUE:  # also false for NaN
            raise InvalidRequest.of(f"bids[{item_id!r}]", bid, f"a number from 0 to {MAX_VALUE:g}")
    return dict(bids)


def read_history(request: pb.RecommendRequest, now: int) -> list[Interaction]:
    """Return the request's history in request order; a missing id is derived from the content.

    `now`: µs since the epoch, the time of interactions without one.
    """
    return [
        _interaction(f"history[{position}]", message, now + position, request.user_id, stored=False)
        for position, message in enumerate(request.history)
    ]


def read_interactions(request: pb.RecordInteractionsRequest, limits: RequestLimits) -> list[Interaction]:
    """Return the interactions to record in request order; missing ids and timestamps are generated."""
    check_record_count(request, limits)
    now = time.time_ns() // 1000
    return [
        _interaction(f"interactions[{position}]", message, now + position, message.user_id, stored=True)
        for position, message in enumerate(request.interactions)
    ]


def ids_without_time(request: pb.RecordInteractionsRequest) -> frozenset[str]:
    """Return the ids of the interactions whose timestamp read_interactions generates."""
    return frozenset(
        message.interaction_id for message in request.interactions if not message.HasField("timestamp")
    )


def read_query(field: str, query: str) -> str:
    """Check the words of a search: up to MAX_QUERY_LENGTH characters, no control character; "" for none."""
    if query and not query.strip():
        raise InvalidRequest.of(field, query, "words, or an empty text")
    if len(query) > MAX_QUERY_LENGTH:
        raise InvalidRequest.of(field, query, f"at most {MAX_QUERY_LENGTH} characters, not {len(query)}")
    if CONTROL.search(query):
        raise InvalidRequest.of(field, query, "no control characters")
    return query.strip()


def _interaction(field: str, message: pb.Interaction, now: int, user_id: str, stored: bool) -> Interaction:
    if message.user_id not in ("", user_id):
        raise InvalidRequest.of(
            f"{field}.user_id", message.user_id, f"empty or {user_id!r}, as in the request"
        )
    query = read_query(f"{field}.query", message.query)
    if query and message.item_id:
        raise InvalidRequest.of(f"{field}.item_id", message.item_id, "an empty id with a query")
    item_id = read_id(f"{field}.item_id", message.item_id, empty=bool(query))
    written = read_id(f"{field}.event_type", message.event_type, empty=True)
    event_type = canonical_event_type(written) or default_event_type(message.HasField("value"), bool(query))
    if query and event_type != SEARCH:
        raise InvalidRequest.of(f"{field}.event_type", written, f"{SEARCH!r} with a query")
    timestamp = _timestamp(f"{field}.timestamp", message, now, EARLIEST_US if stored else 0)
    interaction_id = read_id(f"{field}.interaction_id", message.interaction_id, empty=True)
    generated_id = ordered_id() if stored else _digest(item_id, event_type, timestamp, query)
    return Interaction(
        interaction_id=interaction_id or generated_id,
        user_id=read_id(f"{field}.user_id", user_id, empty=not stored),
        item_id=item_id,
        event_type=event_type,
        timestamp=timestamp,
        value=_value(f"{field}.value", message),
        domain=read_id(f"{field}.domain", message.domain, empty=True),
        query=query,
        request_id=read_id(f"{field}.request_id", message.request_id, empty=True),
    )


def _timestamp(field: str, message: pb.Interaction, now: int, earliest: int) -> int:
    if not message.HasField("timestamp"):
        return now
    seconds, nanos = message.timestamp.seconds, message.timestamp.nanos
    timestamp = seconds * 1_000_000 + nanos // 1000
    if not (0 <= nanos < 1_000_000_000 and earliest <= timestamp <= now + MAX_LEAD_US):
        first, minutes = datetime.fromtimestamp(earliest / 1_000_000, UTC), MAX_LEAD_US // 60_000_000
        allowed = f"a time from {first:%Y} to {minutes} minutes ahead of this server's clock"
        raise InvalidRequest.of(field, f"{seconds} s {nanos} ns", allowed)
    return timestamp


def _value(field: str, message: pb.Interaction) -> float:
    if not message.HasField("value"):
        return math.nan
    if not abs(message.value) <= MAX_VALUE:  # also false for NaN
        raise InvalidRequest.of(field, message.value, f"a number from -{MAX_VALUE:g} to {MAX_VALUE:g}")
    return message.value


def _digest(*content: object) -> str:
    return "request-" + hashlib.sha256(repr(content).encode()).hexdigest()[:24]
