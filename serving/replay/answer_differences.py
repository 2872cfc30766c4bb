"""Explains, term by term, how two answers to one request differ: of two releases, or under two scenarios."""

from collections.abc import Iterator
from dataclasses import dataclass

from serving.answers import Answer, Recommendation, Rule


@dataclass(frozen=True)
class Term:
    """What a feature adds to the score of an item, in each answer."""

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
    terms: list[Term]  # those that differ, the largest difference first; empty unless both scored it
    rule_then: Rule | None = None  # the scenario's key that set the place, where it was not the score
    rule_other: Rule | None = None


def differences(
    then: Answer, other: Answer, more_then: Answer, more_other: Answer
) -> Iterator[ItemDifference]:
    """Yield the items of both answers, in the order of the first one.

    Args:
        then, other: explained.
        more_then, more_other: the same with more items, for the scores of what only the other one shows.
    """
    places = [
        {item.item_id: place for place, item in enumerate(each.recommendations, 1)} for each in (then, other)
    ]
    scored = [
        {item.item_id: item for each in answers for item in each.recommendations}
        for answers in ((more_then, then), (more_other, other))
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
            ours.reordered_by if ours and item_id in places[0] else None,
            theirs.reordered_by if theirs and item_id in places[1] else None,
        )


def _terms(ours: Recommendation, theirs: Recommendation) -> list[Term]:
    features = {**ours.contributions, **theirs.contributions}
    terms = [
        Term(name, ours.contributions.get(name, 0.0), theirs.contributions.get(name, 0.0))
        for name in features
    ]
    return sorted((term for term in terms if term.then != term.other), key=lambda t: -abs(t.other - t.then))
