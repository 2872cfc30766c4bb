"""Tables of an answer that was given again."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.table import Column, Table
from rich.text import Text

if TYPE_CHECKING:
    from serving.exposures.exposure import Exposure
    from serving.replay.answer_differences import ItemDifference, Term
    from serving.replay.replayer import Replayed

# The terms of an item that are shown.
_MAX_TERMS = 4


def replay_sentence(exposure: "Exposure", replayed: "Replayed") -> str:
    """Say what was answered again, and whether the answer is the same."""
    is_same = replayed.exposure == exposure
    at = datetime.fromtimestamp(exposure.timestamp / 1e6, UTC)
    return (
        f"User {exposure.user_id or '(anonymous)'}, {at:%Y-%m-%d %H:%M:%S} UTC, release "
        f"{exposure.release_version}, {exposure.basis}: "
        + ("the same answer, byte for byte" if is_same else "ANOTHER ANSWER than was recorded")
    )


def replay_table(exposure: "Exposure", replayed: "Replayed") -> Table:
    """Show the recorded answer next to the one that was given again."""
    table = Table("", "shown then", "again", "title", Column("score", justify="right"))
    again = replayed.answer.recommendations
    for place in range(max(len(exposure.item_ids), len(again))):
        item = again[place] if place < len(again) else None
        table.add_row(
            str(place + 1),
            Text(exposure.item_ids[place] if place < len(exposure.item_ids) else ""),
            Text(item.item_id if item else ""),
            Text(item.title if item else ""),
            f"{item.score:.4f}" if item else "",
        )
    return table


def comparison_table(then: str, other: str, items: "Iterable[ItemDifference]") -> Table:
    """Show the places of the items in both answers, and the terms that differ most."""
    headings = (f"{name}: place (score)" for name in (then, other))
    places = (Column(each, justify="right") for each in headings)
    table = Table("title", *places, Column("what differs", overflow="fold"))
    for item in items:
        table.add_row(
            Text(item.title or item.item_id),
            _place(item.place_then, item.score_then),
            _place(item.place_other, item.score_other),
            "\n".join(_reasons(item, then, other)) or "the same score",
        )
    return table


def _place(place: int | None, score: float | None) -> str:
    return f"{place or '–'} ({'–' if score is None else f'{score:.3f}'})"


def _reasons(item: "ItemDifference", then: str, other: str) -> Iterator[str]:
    if item.score_then is None or item.score_other is None:
        yield f"{then if item.score_then is None else other}: not ranked, or left out by a rule"
    yield from map(_term, item.terms[:_MAX_TERMS])
    for name, rule in ((then, item.rule_then), (other, item.rule_other)):
        if rule:
            yield f"{name}: placed by {rule}"


def _term(term: "Term") -> str:
    return f"{term.feature} {term.then:+.3f} → {term.other:+.3f}"
