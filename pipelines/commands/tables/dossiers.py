"""The dossier of a version as tables of a terminal."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from rich.console import RenderableType
from rich.table import Column, Table
from rich.text import Text

from pipelines.commands.tables.dossier_comparisons import (
    baseline_table,
    clicks_table,
    comparison_table,
    examples_table,
)
from pipelines.commands.tables.fairness import fairness_tables

if TYPE_CHECKING:
    from components.evaluate_release.dossier.registered import Dossier

LEVELS: Final = {"good": "green", "warn": "yellow", "bad": "red", "info": ""}
UNKNOWN: Final = "–"


def dossier_tables(dossier: "Dossier") -> Iterator[RenderableType]:
    """Yield the parts of a dossier, the verdict first."""
    page, name = dossier.page, f"version {dossier.version}"
    yield _verdict(dossier)
    if page["against"]:
        yield comparison_table(page["against"], name, page["other"]["name"])
    yield baseline_table(page, name)
    if (clicks := page["facts"].get("clicks")) and "refused" not in clicks:
        yield clicks_table(clicks, name)
    yield from fairness_tables(page["facts"].get("fairness") or {"gaps": [], "providers": []})
    yield _lists(page, name)
    yield _volumes(page)
    if page["data"]["mixes"]:
        yield _mixes(page)
    if any(page["data"]["set_aside"].values()):
        yield _set_aside(page)
    yield examples_table(page, name)
    yield _costs(page, name)
    yield _origin(page, name)


def _verdict(dossier: "Dossier") -> Text:
    from components.evaluate_release.dossier.page_verdict import verdict

    page = dossier.page
    found = verdict(page, dossier.version, f"Version {dossier.version}")
    text = Text(f"{found.headline}\n", f"bold {LEVELS[found.level]}")
    for sentence in (*found.reasons, found.next):
        if sentence:
            text.append(f"{sentence}\n", "not bold default")
    for point in page["attention"]:
        text.append(f"• {point['text']}\n", f"not bold {LEVELS[point['level']] or 'default'}")
    text.rstrip()
    return text


def _table(title: str, *headings: str) -> Table:
    """Return a table whose columns are numbers, except the first one."""
    columns = [
        Column(heading, justify="right" if number else "left") for number, heading in enumerate(headings)
    ]
    return Table(*columns, title=title, title_justify="left")


def _lists(page: dict[str, Any], name: str) -> Table:
    headings = ("coverage", "Gini of exposure", "novelty (bits)", "mean rank of popularity")
    table = _table("What is recommended: the first ten items of all lists", "lists of", *headings)
    for row in page["lists"]:
        figures = (
            f"{row['coverage']:.1%}",
            f"{row['gini']:.3f}",
            f"{row['novelty']:.2f}",
            f"{row['popularity_rank']:.0f}",
        )
        table.add_row(name if row["name"] == "this version" else row["name"], *figures)
    return table


def _volumes(page: dict[str, Any]) -> Table:
    table = _table("What changed in the data", "", "before", "now", "new", "gone")
    for row in page["data"]["volumes"]:
        table.add_row(row["name"], *(_count(row[name]) for name in ("before", "after", "new", "gone")))
    after, before = (page["data"]["windows"][name] for name in ("after", "before"))
    for number, name in enumerate(("first interaction", "last interaction")):
        table.add_row(name, before[number] if before else UNKNOWN, after[number])
    return table


def _mixes(page: dict[str, Any]) -> Table:
    table = Table("distribution of", Column("distance", justify="right"), "drift", "largest changes (%)")
    table.title, table.title_justify = "Drift of the distributions (Jensen-Shannon distance)", "left"
    for name, drift in page["data"]["mixes"].items():
        changes = ", ".join(
            f"{change['name']} {100 * change['before']:.2f} → {100 * change['after']:.2f}"
            for change in drift["changes"][:3]
            if abs(change["after"] - change["before"]) >= 0.0001
        )
        style = {"large": "red", "moderate": "yellow"}.get(drift["level"], "")
        table.add_row(name, f"{drift['distance']:.4f}", Text(drift["level"], style), Text(changes))
    limits = page["data"]["thresholds"]
    table.caption = f"moderate from {limits['moderate']} on, large from {limits['large']} on"
    table.caption_justify = "left"
    return table


def _set_aside(page: dict[str, Any]) -> Table:
    table = _table("Rows that the validation set aside", "rule", "before", "now")
    after, before = page["data"]["set_aside"]["after"], page["data"]["set_aside"]["before"]
    for rule in dict.fromkeys([*after, *(before or {})]):
        earlier = UNKNOWN if before is None else _count(before.get(rule, 0))
        table.add_row(Text(rule), earlier, _count(after.get(rule, 0)))
    return table


def _costs(page: dict[str, Any], name: str) -> Table:
    from components.evaluate_release.dossier.page import SERVING_ROWS

    before, after = page["serving"]["before"], page["serving"]["after"]
    table = _table("What it costs to serve", "", *([page["other"]["name"]] if before else []), name)
    for heading, key, digits in SERVING_ROWS:
        table.add_row(heading, *(f"{costs[key]:.{digits}f}" for costs in (before, after) if costs))
    return table


def _origin(page: dict[str, Any], name: str) -> Table:
    """Show the lineage, and the hyperparameters that changed."""
    from components.evaluate_release.dossier.page import ORIGIN_ROWS

    before, after = page["lineage"]["before"], page["lineage"]["after"]
    table = Table(
        "", *([page["other"]["name"]] if before else []), name, title="How it was made", title_justify="left"
    )
    for heading, key in ORIGIN_ROWS:
        table.add_row(heading, *(Text(origin[key] or UNKNOWN) for origin in (before, after) if origin))
    for row in page["hyperparameters"]:
        if row["changed"] or row["name"] == "seed":
            values = (row["before"], row["after"]) if before else (row["after"],)
            cells = (Text(UNKNOWN if value is None else value) for value in values)
            table.add_row(row["name"], *cells, style="yellow" if row["changed"] else "")
    return table


def _count(value: int | None) -> str:
    return UNKNOWN if value is None else f"{value:,}"
