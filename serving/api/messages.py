"""Answers and interactions as protobuf messages, and back."""

import math
from collections.abc import Iterable

from feature_repo.interaction import Interaction
from serving.answers import (
    Answer,
    CategoryInterest,
    Degradation,
    Recommendation,
    Recorded,
    Removed,
    UserInterests,
)
from serving.protos import recommender_pb2 as pb


def answer_message(answer: Answer) -> pb.RecommendResponse:
    return pb.RecommendResponse(
        recommendations=[_recommendation_message(item) for item in answer.recommendations],
        release_version=answer.release_version,
        request_id=answer.request_id,
        basis=answer.basis,
        degraded=_degradation_messages(answer.degraded),
        removed=[
            pb.Removed(item_id=item.item_id, title=item.title, score=item.score, rule=item.rule)
            for item in answer.removed
        ],
    )


def read_answer(message: pb.RecommendResponse) -> Answer:
    return Answer(
        recommendations=[
            Recommendation(
                item_id=item.item_id,
                title=item.title,
                categories=list(item.categories),
                score=item.score,
                sources=list(item.sources),
                reason=item.reason,
                contributions=dict(item.contributions),
                because_item_ids=list(item.because_item_ids),
                reordered_by=item.reordered_by,
                click_probability=item.click_probability if item.HasField("click_probability") else None,
            )
            for item in message.recommendations
        ],
        release_version=message.release_version,
        request_id=message.request_id,
        basis=message.basis,
        degraded=_read_degradations(message.degraded),
        removed=[Removed(item.item_id, item.title, item.score, item.rule) for item in message.removed],
    )


def recorded_message(recorded: Recorded) -> pb.RecordInteractionsResponse:
    return pb.RecordInteractionsResponse(
        interaction_ids=recorded.interaction_ids,
        recorded=recorded.recorded,
        unknown_item_ids=recorded.unknown_item_ids,
    )


def read_recorded(message: pb.RecordInteractionsResponse) -> Recorded:
    return Recorded(list(message.interaction_ids), message.recorded, list(message.unknown_item_ids))


def interests_message(interests: UserInterests) -> pb.GetInterestsResponse:
    return pb.GetInterestsResponse(
        interests=[
            pb.Interest(
                category=interest.category,
                weight=interest.weight,
                long_term_weight=interest.long_term_weight,
            )
            for interest in interests.interests
        ],
        shift=interests.shift,
        release_version=interests.release_version,
        degraded=_degradation_messages(interests.degraded),
    )


def read_interests(message: pb.GetInterestsResponse) -> UserInterests:
    return UserInterests(
        interests=[
            CategoryInterest(interest.category, interest.weight, interest.long_term_weight)
            for interest in message.interests
        ],
        shift=message.shift,
        release_version=message.release_version,
        degraded=_read_degradations(message.degraded),
    )


def interaction_message(given: Interaction | str) -> pb.Interaction:
    """Of an interaction, or of an item alone."""
    if isinstance(given, str):
        return pb.Interaction(item_id=given)
    message = pb.Interaction(
        interaction_id=given.interaction_id,
        user_id=given.user_id,
        item_id=given.item_id,
        event_type=given.event_type,
        value=None if math.isnan(given.value) else given.value,
        domain=given.domain,
    )
    message.timestamp.FromMicroseconds(given.timestamp)
    return message


def _recommendation_message(item: Recommendation) -> pb.Recommendation:
    message = pb.Recommendation(
        item_id=item.item_id,
        title=item.title,
        categories=item.categories,
        score=item.score,
        sources=item.sources,
        reason=item.reason,
        click_probability=item.click_probability,
    )
    if item.contributions:  # with explain: to hand over what is empty would take half of the time
        message.contributions.update(item.contributions)
        message.because_item_ids.extend(item.because_item_ids)
        message.reordered_by = item.reordered_by
    return message


def _degradation_messages(degraded: Iterable[Degradation]) -> list[pb.Degradation]:
    return [pb.Degradation(stage=cut.stage, reason=cut.reason, fallback=cut.fallback) for cut in degraded]


def _read_degradations(messages: Iterable[pb.Degradation]) -> list[Degradation]:
    return [Degradation(message.stage, message.reason, message.fallback) for message in messages]
