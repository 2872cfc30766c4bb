"""The comparisons of a dossier as tables of a terminal: by slice, with the baselines, by user."""

from typing import Any, Final

from rich.table import Column, Table
from rich.text import Text

STYLES: Final = {"worse": "red", "better": "green"}


def comparison_table(comparison: dict[str, Any], ours: str, theirs: str) -> Table:
    """Show a paired comparison, a section for each dimension of the slices."""
    headings = ("queries", ours, theirs, "difference", "95 % interval", "p")
    table = _table(f"NDCG@10 against {theirs}: {comparison['measured']}", headings)
    for row in comparison["rows"]:
        _add(table, row, [f"{row['ours']:.4f}", f"{row['theirs']:.4f}"])
    return table


def baseline_table(page: dict[str, Any], ours: str) -> Table:
    """Show every baseline beside the version; the difference is to the best one."""
    models = list(page["by_model"][": all queries"])
    others = [model for model in models if model != "served"]
    headings = ("queries", ours, *others, "difference", "95 % interval", "p")
    table = _table(f"NDCG@10 on all test queries; difference to {page['baseline']['name']}", headings)
    for row in page["baseline"]["rows"]:
        values = page["by_model"][f"{row['dimension']}: {row['label']}"]
        _add(table, row, [f"{row['ours']:.4f}", *(f"{values[model]:.4f}" for model in others)])
    table.caption, table.caption_justify = page["correction"], "left"
    return table


def examples_table(page: dict[str, Any], ours: str) -> Table:
    """Show the users who gain and lose most, and those who were drawn."""
    theirs = page["examples_against"]
    table = Table(
        "",
        "user",
        "chose next",
        Column(f"rank, {theirs}", justify="right"),
        Column(f"rank, {ours}", justify="right"),
        Column("new items", justify="right"),
        f"first of the list, {theirs}",
        f"first of the list, {ours}",
        title=f"What users get: {ours} beside {theirs}",
        title_justify="left",
    )
    for kind, users in page["examples"].items():
        for user in users:
            changed = sum(entry["changed"] for entry in user["ours"])
            table.add_row(
                {"gains": "gains most", "loses": "loses most"}.get(kind, ""),
                Text(user["user_id"]),
                Text(user["target"]),
                str(user["their_rank"] or "none"),
                str(user["our_rank"] or "none"),
                f"{changed} of {len(user['ours'])}",
                *(Text(entries[0]["title"] if entries else "") for entries in (user["theirs"], user["ours"])),
            )
    return table


def _table(title: str, headings: tuple[str, ...]) -> Table:
    columns = [Column(heading, justify="right") for heading in headings]
    return Table("slice", *columns, title=title, title_justify="left")


def _add(table: Table, row: dict[str, Any], figures: list[str]) -> None:
    """Add a slice; a dimension begins with a line of its own."""
    dimension = row["dimension"]
    label = row["label"] if not dimension else f"{dimension}: {row['label']}"
    interval = "" if row["low"] is None else f"{row['low']:+.4f} to {row['high']:+.4f}"
    p_value = f"{row['users']} users" if row["p_value"] is None else f"{row['p_value']:.3f}"
    style = STYLES.get(row["verdict"], "")
    mark = f" {row['verdict']}" if style else ""
    difference = Text(f"{row['difference']:+.4f}{mark}", style)
    table.add_row(Text(label), f"{row['queries']:,}", *figures, difference, interval, p_value, style=style)
