"""The comparisons of a dossier as tables of a terminal: by slice, with the baselines, by user."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

from rich import box
from rich.table import Column, Table
from rich.text import Text

STYLES: Final = {"worse": "red", "better": "green"}
MARKS: Final = {"worse": "▼ ", "better": "▲ "}


def comparison_table(comparison: dict[str, Any], ours: str, theirs: str) -> Table:
    """Show a paired comparison, with a heading for each dimension of the slices."""
    title = f"NDCG@10 against {theirs}: {comparison['measured']}"
    table = _table(title, ("queries", ours, theirs, "difference", "95 % interval", "p"))
    for row in _with_headings(table, comparison["rows"]):
        if row["p_value"] is None:
            p_value = f"{row['users']} users"
        else:
            p_value = "< 0.001" if row["p_value"] < 0.001 else f"{row['p_value']:.3f}"
        _add(table, row, [f"{row['ours']:.4f}", f"{row['theirs']:.4f}"], [p_value])
    return table


def baseline_table(page: dict[str, Any], ours: str) -> Table:
    """Show every baseline beside the version; the difference is to the best one."""
    others = [model for model in page["by_model"][": all queries"] if model != "served"]
    title = f"NDCG@10 on all test queries; difference to {page['baseline']['name']}"
    table = _table(title, ("queries", ours, *others, "difference", "95 % interval"))
    for row in _with_headings(table, page["baseline"]["rows"]):
        values = page["by_model"][f"{row['dimension']}: {row['label']}"]
        _add(table, row, [f"{row['ours']:.4f}", *(f"{values[model]:.4f}" for model in others)], [])
    table.caption, table.caption_justify = page["correction"], "left"
    return table


def clicks_table(clicks: dict[str, Any], ours: str) -> Table:
    """Show the clicks per answer that are estimated from explored answers, beside those of what was shown."""
    evaluation = clicks["evaluation"]
    title = (
        f"Clicks per answer, estimated from {evaluation['answers']:,} explored answers of the scenario "
        f"{clicks['scenario']}, worth {evaluation['effective']:,.0f} of {ours}'s own"
    )
    headings = ("", "estimate", "95 % interval", "difference to what was shown, 95 %")
    table = Table(
        *(Column(heading, justify="right" if heading else "left") for heading in headings),
        title=title,
        title_justify="left",
    )
    table.add_row("as shown", f"{clicks['live']:.3f}", "", "")
    for each in evaluation["estimates"]:
        low, high = each["difference"]
        interval = f"{each['low']:.3f} to {each['high']:.3f}"
        table.add_row(each["method"], f"{each['value']:.3f}", interval, f"{low:+.3f} to {high:+.3f}")
    return table


def examples_table(page: dict[str, Any], ours: str) -> Table:
    """Show the users who gain and lose most, and those who were drawn."""
    theirs = page["examples_against"]
    ranks = (Column(f"rank, {name}", justify="right") for name in (theirs, ours))
    table = Table(
        "user",
        Column("chose next", ratio=2),
        *ranks,
        Column("new items", justify="right"),
        Column(f"first item, {theirs}", ratio=2),
        Column(f"first item, {ours}", ratio=2),
        title=f"What users get: {ours} beside {theirs}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    for kind, note in (("gains", " (gains most)"), ("loses", " (loses most)"), ("drawn", "")):
        for user in page["examples"][kind]:
            changed = sum(entry["changed"] for entry in user["ours"])
            table.add_row(
                Text(f"{user['user_id']}{note}"),
                Text(user["target"]),
                str(user["their_rank"] or "none"),
                str(user["our_rank"] or "none"),
                f"{changed} of {len(user['ours'])}",
                *(Text(entries[0]["title"] if entries else "") for entries in (user["theirs"], user["ours"])),
            )
    return table


def _table(title: str, headings: tuple[str, ...]) -> Table:
    columns = [Column(heading, justify="right") for heading in headings]
    return Table("slice", *columns, title=title, title_justify="left", box=box.SIMPLE_HEAD)


def _with_headings(table: Table, rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the rows, and add a line with the name of a dimension before its first row."""
    for dimension, members in groupby(rows, lambda row: row["dimension"]):
        if dimension:
            table.add_row(Text(f"by {dimension}", "bold"))
        yield from members


def _add(table: Table, row: dict[str, Any], figures: list[str], rest: list[str]) -> None:
    verdict = row["verdict"]
    interval = "" if row["low"] is None else f"{row['low']:+.4f} to {row['high']:+.4f}"
    difference = f"{MARKS.get(verdict, '')}{row['difference']:+.4f}"
    label = Text(f"  {row['label']}" if row["dimension"] else row["label"])
    cells = (f"{row['queries']:,}", *figures, difference, interval, *rest)
    table.add_row(label, *cells, style=STYLES.get(verdict, ""))
