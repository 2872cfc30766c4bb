"""What the commands print where people would rather look than read."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.table import Table

from components.ingest_interactions.datasets import Dataset
from serving.answers import Answer


def recommendations_table(answer: Answer, explain: bool = False, title: str | None = None) -> Table:
    """One row an item, best first; the caption lists what was degraded."""
    caption = f"release {answer.release_version}, basis: {_words(answer.basis)}"
    for cut in answer.degraded:
        caption += f"; {_words(cut.stage)} degraded ({cut.reason}), fallback: {_words(cut.fallback)}"
    if answer.removed:
        caption += "\nremoved: " + ", ".join(
            f"{item.title or item.item_id} ({_words(item.rule)})" for item in answer.removed
        )
    table = Table(title=title, title_justify="left", caption=caption, caption_justify="left")
    table.add_column("", justify="right", style="dim")
    table.add_column("item", style="dim")
    table.add_column("title", overflow="fold")
    table.add_column("categories", overflow="fold", style="dim")
    table.add_column("score", justify="right")
    table.add_column("why", overflow="fold")
    if explain:
        table.add_column("terms of the score", overflow="fold", style="dim")
    for place, item in enumerate(answer.recommendations, 1):
        row = [
            str(place),
            item.item_id,
            item.title,
            ", ".join(item.categories),
            f"{item.score:.2f}",
            item.reason,
        ]
        if explain:
            weighed = ((name, value) for name, value in item.contributions.items() if value)
            terms = sorted(weighed, key=lambda term: -abs(term[1]))
            row.append("  ".join(f"{name} {value:+.2f}" for name, value in terms))
        table.add_row(*row)
    return table


def _words(name: str) -> str:
    return name.replace("_", " ")


def answer_json(answer: Answer) -> str:
    """Everything that an answer holds."""
    return json.dumps(asdict(answer), indent=2)


def datasets_table(datasets: Sequence[Dataset]) -> Table:
    """A block for each data set: what it is, how to get it, what may be done with it."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for dataset in datasets:
        table.add_row("", f"[bold]{dataset.name}[/]")
        size = (
            f"{dataset.interactions:,} interactions of {dataset.users:,} users with {dataset.items:,} items"
        )
        for name, text in (
            ("what it is", f"{dataset.title}, {dataset.span}"),
            ("size", size),
            ("source", dataset.source),
            ("installed", "yes" if dataset.installed else f"no: {dataset.install}"),
            ("licence", dataset.licence),
            ("to cite", dataset.citation),
        ):
            table.add_row(name, text)
        table.add_row()
    return table


def metrics_table(run: Path) -> Table:
    """One row a model, the served ranking first, from the evaluation in a run's folder."""
    document = json.loads(next(run.glob("steps/*/evaluate-release/evaluation/metrics.json")).read_text())
    shown = {
        "ndcg_at_10": "NDCG@10",
        "hr_at_10": "HR@10",
        "mrr_at_10": "MRR@10",
        "ndcg_at_20": "NDCG@20",
        "hr_at_20": "HR@20",
        "coverage_at_10": "coverage@10",
    }
    counts = document["counts"]
    table = Table(
        "model",
        caption=f"{counts['test_queries']:,} test queries of {counts['test_users']:,} users, "
        f"all {counts['items']:,} items ranked, seen items left out, ties against the model; "
        f"protocol {document['protocol']}, seed {document['seed']}; {document['reason']}",
        caption_justify="left",
    )
    for heading in shown.values():
        table.add_column(heading, justify="right")
    for model, figures in document["models"].items():
        table.add_row(model, *(f"{figures[name]['value']:.4f}" for name in shown))
    return table
