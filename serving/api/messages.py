"""Conversion of answers and interactions to protobuf messages and back."""

import math
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from feature_repo.interaction import Interaction
from serving.answers import (
    Answer,
    Basis,
    CategoryInterest,
    Degradation,
    DislikeEffect,
    ExpectedCategory,
    ExpectedItem,
    Fallback,
    InterestForecast,
    InterestPoint,
    Recommendation,
    Recorded,
    Removed,
    RemovedCount,
    Rule,
    Source,
    Stage,
    UserInterests,
)
from serving.protos import recommender_pb2 as pb

Kind = TypeVar("Kind", bound=StrEnum)


class EnumCodec(Generic[Kind]):
    """Converts one of the enums of `serving.answers` to the enum of the same name in the proto and back."""

    def __init__(self, kind: type[Kind]) -> None:
        values, prefix = pb.DESCRIPTOR.enum_types_by_name[kind.__name__].values_by_name, kind.__name__.upper()
        # Typed Any, because the stubs require the enum's own type, which does not exist at run time.
        self.numbers: dict[Kind, Any] = {member: values[f"{prefix}_{member.name}"].number for member in kind}
        self._members: dict[int, Kind] = {number: member for member, number in self.numbers.items()}

    def read(self, number: int) -> Kind:
        """Return the member of a number; UNSPECIFIED for a number that only a newer version defines."""
        return self._members.get(number, self._members[0])


_BASIS: Final = EnumCodec(Basis)
_STAGE: Final = EnumCodec(Stage)
_FALLBACK: Final = EnumCodec(Fallback)
_SOURCE: Final = EnumCodec(Source)
_RULE: Final = EnumCodec(Rule)


def answer_message(answer: Answer) -> pb.RecommendResponse:
    return pb.RecommendResponse(
        recommendations=[_recommendation_message(item) for item in answer.recommendations],
        release_version=answer.release_version,
        request_id=answer.request_id,
        basis=_BASIS.numbers[answer.basis],
        degraded=_degradation_messages(answer.degraded),
        removed=[
            pb.Removed(
                item_id=item.item_id, title=item.title, score=item.score, rule=_RULE.numbers[item.rule]
            )
            for item in answer.removed
        ],
        dislike_effects=[
            pb.DislikeEffect(
                reason=effect.reason, category=effect.category, because_item_ids=effect.because_item_ids
            )
            for effect in answer.dislike_effects
        ],
        removed_counts=[
            pb.RemovedCount(rule=_RULE.numbers[removed.rule], items=removed.items)
            for removed in answer.removed_counts
        ],
    )


def read_answer(message: pb.RecommendResponse) -> Answer:
    return Answer(
        recommendations=[_read_recommendation(item) for item in message.recommendations],
        release_version=message.release_version,
        request_id=message.request_id,
        basis=_BASIS.read(message.basis),
        degraded=_read_degradations(message.degraded),
        removed=[
            Removed(item.item_id, item.title, item.score, _RULE.read(item.rule)) for item in message.removed
        ],
        dislike_effects=[
            DislikeEffect(effect.reason, effect.category, list(effect.because_item_ids))
            for effect in message.dislike_effects
        ],
        removed_counts=[
            RemovedCount(_RULE.read(removed.rule), removed.items) for removed in message.removed_counts
        ],
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


def forecast_message(forecast: InterestForecast) -> pb.ForecastInterestsResponse:
    return pb.ForecastInterestsResponse(
        points=[
            pb.InterestPoint(
                step=point.step,
                items=[
                    pb.ExpectedItem(item_id=item.item_id, title=item.title, probability=item.probability)
                    for item in point.items
                ],
                categories=[
                    pb.ExpectedCategory(category=expected.category, probability=expected.probability)
                    for expected in point.categories
                ],
                probability=point.probability,
            )
            for point in forecast.points
        ],
        release_version=forecast.release_version,
        degraded=_degradation_messages(forecast.degraded),
    )


def read_forecast(message: pb.ForecastInterestsResponse) -> InterestForecast:
    return InterestForecast(
        points=[
            InterestPoint(
                point.step,
                [ExpectedItem(item.item_id, item.title, item.probability) for item in point.items],
                [ExpectedCategory(expected.category, expected.probability) for expected in point.categories],
                point.probability,
            )
            for point in message.points
        ],
        release_version=message.release_version,
        degraded=_read_degradations(message.degraded),
    )


def interaction_message(interaction: Interaction | str) -> pb.Interaction:
    """Convert an interaction, or an item id alone."""
    if isinstance(interaction, str):
        return pb.Interaction(item_id=interaction)
    message = pb.Interaction(
        interaction_id=interaction.interaction_id,
        user_id=interaction.user_id,
        item_id=interaction.item_id,
        event_type=interaction.event_type,
        value=None if math.isnan(interaction.value) else interaction.value,
        domain=interaction.domain,
        query=interaction.query,
        request_id=interaction.request_id,
    )
    message.timestamp.FromMicroseconds(interaction.timestamp)
    return message


def _recommendation_message(item: Recommendation) -> pb.Recommendation:
    message = pb.Recommendation(
        item_id=item.item_id,
        title=item.title,
        categories=item.categories,
        score=item.score,
        sources=map(_SOURCE.numbers.__getitem__, item.sources),
        reason=item.reason,
        click_probability=item.click_probability,
    )
    if item.contributions:  # passing empty fields to the constructor would take half of its time
        message.contributions.update(item.contributions)
        message.because_item_ids.extend(item.because_item_ids)
    if item.reordered_by:
        message.reordered_by = _RULE.numbers[item.reordered_by]
    return message


def _read_recommendation(message: pb.Recommendation) -> Recommendation:
    return Recommendation(
        item_id=message.item_id,
        title=message.title,
        categories=list(message.categories),
        score=message.score,
        sources=[_SOURCE.read(source) for source in message.sources],
        reason=message.reason,
        contributions=dict(message.contributions),
        because_item_ids=list(message.because_item_ids),
        reordered_by=_RULE.read(message.reordered_by) if message.reordered_by else None,
        click_probability=message.click_probability if message.HasField("click_probability") else None,
    )


def _degradation_messages(degraded: Iterable[Degradation]) -> list[pb.Degradation]:
    return [
        pb.Degradation(
            stage=_STAGE.numbers[degradation.stage],
            reason=degradation.reason,
            fallback=_FALLBACK.numbers[degradation.fallback],
        )
        for degradation in degraded
    ]


def _read_degradations(messages: Iterable[pb.Degradation]) -> list[Degradation]:
    return [
        Degradation(_STAGE.read(message.stage), message.reason, _FALLBACK.read(message.fallback))
        for message in messages
    ]
