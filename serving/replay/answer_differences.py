"""Explains, term by term, how the answers of two releases to one request differ."""

from collections.abc import Iterator
from dataclasses import dataclass

from serving.answers import Answer, Recommendation


@dataclass(frozen=True)
class Term:
    """What a feature adds to the score of an item, in each release."""

    feature: str
    then: float
    other: float


@dataclass(frozen=True)
class ItemDifference:
    """The place and score of an item in each answer; None where it has none."""

    item_id: str
    title: str
    place_then: int | None
    place_other: int | None
    score_then: float | None
    score_other: float | None
    terms: list[Term]  # those that differ, the largest difference first; empty unless both releases scored it


def differences(
    then: Answer, other: Answer, explained_then: Answer, explained_other: Answer
) -> Iterator[ItemDifference]:
    """Yield the items of both answers, in the order of the first one.

    Args:
        explained_then, explained_other: answers with more items, and the contributions of their features.
    """
    places = [
        {item.item_id: place for place, item in enumerate(each.recommendations, 1)} for each in (then, other)
    ]
    scored = [
        {item.item_id: item for item in each.recommendations} for each in (explained_then, explained_other)
    ]
    titles = {item.item_id: item.title for each in (other, then) for item in each.recommendations}
    for item_id in {**places[0], **places[1]}:
        ours, theirs = scored[0].get(item_id), scored[1].get(item_id)
        yield ItemDifference(
            item_id,
            titles[item_id],
            places[0].get(item_id),
            places[1].get(item_id),
            ours.score if ours else None,
            theirs.score if theirs else None,
            _terms(ours, theirs) if ours and theirs else [],
        )


def _terms(ours: Recommendation, theirs: Recommendation) -> list[Term]:
    features = {**ours.contributions, **theirs.contributions}
    terms = [
        Term(name, ours.contributions.get(name, 0.0), theirs.contributions.get(name, 0.0))
        for name in features
    ]
    return sorted((term for term in terms if term.then != term.other), key=lambda t: -abs(t.other - t.then))
