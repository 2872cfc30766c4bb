"""Tables of an answer that was given again."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.table import Column, Table
from rich.text import Text

from serving.exposures.exposure_table import to_row

if TYPE_CHECKING:
    from serving.exposures.exposure import Exposure
    from serving.replay.answer_differences import ItemDifference, Term
    from serving.replay.replayer import Replayed

# The terms of an item that are shown.
_MAX_TERMS = 4


def replay_sentence(exposure: "Exposure", replayed: "Replayed") -> str:
    """Say what was answered again, and whether the answer is the same."""
    is_same = to_row(replayed.exposure) == to_row(exposure)
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


def comparison_table(then: int, other: int, items: "Iterable[ItemDifference]") -> Table:
    """Show the places of the items in both releases' answers, and the terms that differ most."""
    table = Table(
        "title",
        Column(f"place, release {then}", justify="right"),
        Column(f"release {other}", justify="right"),
        Column("score", justify="right"),
        Column("", justify="right"),
        "terms that differ",
    )
    for item in items:
        table.add_row(
            Text(item.title or item.item_id),
            str(item.place_then or "–"),
            str(item.place_other or "–"),
            "–" if item.score_then is None else f"{item.score_then:.3f}",
            "–" if item.score_other is None else f"{item.score_other:.3f}",
            _terms(item),
        )
    return table


def _terms(item: "ItemDifference") -> str:
    if item.score_then is None or item.score_other is None:
        missing = "both releases" if item.score_then == item.score_other else "one release"
        return f"no candidate of {missing}, or removed by a rule"
    return "\n".join(map(_term, item.terms[:_MAX_TERMS])) or "none"


def _term(term: "Term") -> str:
    return f"{term.feature} {term.then:+.3f} → {term.other:+.3f}"
