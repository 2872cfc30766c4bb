"""Answers of the recommender as tables, and as JSON."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from serving.answers import Answer, InterestForecast


def recommendations_table(answer: "Answer", explain: bool = False, title: str | None = None) -> Table:
    """Return one row per item, best first; the caption says what dislikes, failures and rules changed."""
    table = Table(title=title, title_justify="left", caption=_caption(answer), caption_justify="left")
    table.add_column("", justify="right", style="dim")
    table.add_column("item", style="dim")
    table.add_column("title", overflow="fold")
    table.add_column("categories", overflow="fold", style="dim")
    table.add_column("score", justify="right")
    table.add_column("reason", overflow="fold")
    if explain:
        table.add_column("contributions", no_wrap=True, style="dim")
    for position, item in enumerate(answer.recommendations, 1):
        categories, score = ", ".join(item.categories), f"{item.score:.2f}"
        row = [str(position), item.item_id, item.title, categories, score, item.reason]
        table.add_row(*row, *([_contributions(item.contributions)] if explain else []))
    return table


def _caption(answer: "Answer") -> str:
    lines = [
        f"release {answer.release_version}, basis: {_words(answer.basis)}, request id: {answer.request_id}"
    ]
    lines.extend(effect.reason for effect in answer.dislike_effects)
    for degradation in answer.degraded:
        stage, fallback = _words(degradation.stage), _words(degradation.fallback)
        lines.append(f"degraded: {stage} ({degradation.reason}), fallback: {fallback}")
    if answer.removed_counts:
        counts = (f"{_words(removed.rule)} {removed.items:,}" for removed in answer.removed_counts)
        lines.append(f"no more items, since rules removed: {', '.join(counts)}")
    if answer.removed:
        removed = (f"{item.title or item.item_id} ({_words(item.rule)})" for item in answer.removed)
        lines.append(f"removed: {', '.join(removed)}")
    return "\n".join(lines)


def _contributions(contributions: dict[str, float]) -> str:
    largest_first = sorted(contributions.items(), key=lambda entry: -abs(entry[1]))
    return "\n".join(f"{feature} {value:+.2f}" for feature, value in largest_first if value)


def _words(name: str) -> str:
    return name.replace("_", " ")


def forecast_table(forecast: "InterestForecast") -> Table:
    """Return one row per step: the most probable categories and items, and how sure the forecast is."""
    degraded = "".join(f", degraded: {_words(each.stage)} ({each.reason})" for each in forecast.degraded)
    known = "" if forecast.points else "; the user has chosen nothing yet"
    caption = f"release {forecast.release_version}{degraded}{known}"
    table = Table(caption=Text(caption), caption_justify="left")
    table.add_column("step", justify="right")
    table.add_column("categories", overflow="fold")
    table.add_column("items", overflow="fold")
    table.add_column("one of these items", justify="right", style="dim")
    for point in forecast.points:
        table.add_row(
            str(point.step),
            Text("\n".join(f"{each.probability:4.0%} {each.category}" for each in point.categories)),
            Text("\n".join(f"{each.probability:5.1%} {each.title or each.item_id}" for each in point.items)),
            f"{point.probability:.1%}",
        )
    return table


def answer_json(answer: "Answer | InterestForecast") -> str:
    """Return all fields of an answer as JSON, in ASCII, without control characters."""
    return json.dumps(asdict(answer), indent=2).replace("\x7f", "\\u007f")
