"""The fairness of a version as tables of a terminal."""

from collections.abc import Iterator
from typing import Any

from rich.table import Column, Table
from rich.text import Text

from components.evaluate_release.dossier.attention import SIGNIFICANT


def fairness_tables(fairness: dict[str, Any]) -> Iterator[Table]:
    """Yield a table of the gaps between user groups and one of the providers' exposure, if there are any."""
    if fairness["gaps"]:
        yield _gaps(fairness["gaps"])
    if fairness["providers"]:
        yield _providers(fairness)


def _table(title: str, first: str, *numbers: str) -> Table:
    columns = [Column(first), *(Column(heading, justify="right") for heading in numbers)]
    return Table(*columns, title=title, title_justify="left")


def _gaps(gaps: list[dict[str, Any]]) -> Table:
    table = _table(
        "Fairness to groups of users", "", "best group", "worst group", "gap", "95 % interval", "p"
    )
    for gap in gaps:
        table.add_row(
            Text(f"{gap['metric']} by {gap['attribute']}"),
            Text(f"{gap['best']} {gap['best_value']:.4f}"),
            Text(f"{gap['worst']} {gap['worst_value']:.4f}"),
            f"{gap['best_value'] - gap['worst_value']:.4f}",
            f"{gap['low']:+.4f} to {gap['high']:+.4f}",
            Text(f"{gap['p_value']:.3f}", "yellow" if gap["p_value"] < SIGNIFICANT else ""),
        )
    return table


def _providers(fairness: dict[str, Any]) -> Table:
    headings = ("items", "of the catalog", "relevance", "exposure", "exposure / relevance")
    table = _table("Fairness to providers", fairness["provider_column"], *headings)
    if balance := fairness.get("balance"):
        table.caption = balance["sentence"]
    for row in fairness["providers"]:
        ratio = f"{row['exposure'] / row['relevance']:.2f}" if row["relevance"] else "–"
        interval = "" if row["high"] is None else f" ({row['low']:.2f} to {row['high']:.2f})"
        shares = (f"{row[name]:.1%}" for name in ("catalog", "relevance", "exposure"))
        table.add_row(Text(row["provider"]), f"{row['items']:,}", *shares, ratio + interval)
    return table
