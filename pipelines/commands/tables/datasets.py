"""The table of public data sets."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from feature_repo.counts import counted

if TYPE_CHECKING:
    # Its module imports DuckDB, which most commands do not need.
    from components.ingest_interactions.datasets.registry import Dataset


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
