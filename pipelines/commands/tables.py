"""Builds the tables that the commands print."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from feature_repo.counts import counted

if TYPE_CHECKING:
    # The modules of these types import what most commands do not need, DuckDB and SQLAlchemy for example.
    from components.ingest_interactions.datasets.registry import Dataset
    from components.register_release.review_history import Record
    from components.register_release.reviewed_versions import ReviewedVersion
    from serving.answers import Answer, InterestForecast

METRICS = {
    "ndcg_at_10": "NDCG@10",
    "hr_at_10": "HR@10",
    "mrr_at_10": "MRR@10",
    "ndcg_at_20": "NDCG@20",
    "hr_at_20": "HR@20",
    "coverage_at_10": "coverage@10",
}


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


def datasets_table(datasets: Sequence["Dataset"]) -> Table:
    """Return one block per data set: description, size, source, licence and citation."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for dataset in datasets:
        size = (
            f"{counted(dataset.interactions, 'interaction')} of {counted(dataset.users, 'user')} with "
            f"{counted(dataset.items, 'item')}"
        )
        table.add_row("", Text(dataset.name, "bold"))
        for name, text in (
            ("content", f"{dataset.title}, {dataset.span}"),
            ("size", size),
            ("source", dataset.source),
            ("installed", "yes" if dataset.installed else f"no; install it with: {dataset.install}"),
            ("licence", dataset.licence),
            ("citation", dataset.citation),
        ):
            table.add_row(name, text)
        table.add_row()
    return table


def metrics_table(run: Path) -> Table:
    """Return one row per model, the served ranking first, from the evaluation in the folder of a run."""
    evaluation = json.loads(next(run.glob("steps/*/evaluate-release/evaluation/metrics.json")).read_text())
    counts = evaluation["counts"]
    seen = "except" if evaluation["seen_items"] == "filter" else "including"
    table = Table(
        "model",
        caption=f"{counted(counts['test_queries'], 'test query', 'test queries')} of "
        f"{counted(counts['test_users'], 'user')}. All "
        f"{counts['items']:,} items are ranked, {seen} those the user has seen; a tie counts against the "
        f"model. Protocol: {evaluation['protocol']}; seed: {evaluation['seed']}.\n"
        + "\n".join([f"{evaluation['gate_decision']}: {evaluation['reason']}", *evaluation["notes"]]),
        caption_justify="left",
    )
    for heading in METRICS.values():
        table.add_column(heading, justify="right")
    for model, figures in evaluation["models"].items():
        table.add_row(model, *(f"{figures[name]['value']:.4f}" for name in METRICS))
    return table


def versions_table(
    versions: Sequence["ReviewedVersion"], live: int | None, previous: int | None = None
) -> Table:
    """Return one row per version, in the given order; `previous` is what a rollback brings."""
    table = Table("version", "state", "NDCG@10", "HR@10", "gate", "review", "by", "registered (UTC)")
    states = {previous: "previous", live: "live"}
    newest_waiting = next((version.number for version in versions if version.review == "waiting"), None)
    for version in versions:
        state = states.get(version.number, "candidate" if version.number == newest_waiting else "")
        table.add_row(
            str(version.number),
            "pruned" if version.is_pruned else state,
            version.figures.get("ndcg_at_10", ""),
            version.figures.get("hr_at_10", ""),
            version.figures.get("gate_decision", ""),
            version.review,
            Text(version.by),
            version.registered_at[:16].replace("T", " "),
        )
    return table


def history_table(records: Sequence["Record"], title: str | None = None) -> Table:
    """Show the records of the review history, oldest first."""
    headings = ("when (UTC)", "version", "what", "by", "reason", "live before → after")
    table = Table(*headings, title=title, title_justify="left")
    for record in records:
        live = (record.live_before, record.live_after)
        change = " → ".join("none" if version is None else str(version) for version in live)
        table.add_row(
            record.at[:16].replace("T", " "),
            str(record.version),
            record.act + (" (recorded later)" if record.recorded_at else ""),
            Text(record.by),
            Text(record.reason),
            change if live != (None, None) else "",
        )
    return table
