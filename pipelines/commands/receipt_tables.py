"""Prints the receipt of an erasure."""

from rich.table import Table
from rich.text import Text

from components.erase_user.receipt import Receipt
from pipelines.commands.errors import out


def print_receipt(receipt: Receipt) -> None:
    """Print what was removed, and what remains and why."""
    removed = Table("removed", "count", "place", title=f"Receipt {receipt.number}", title_justify="left")
    for entry in receipt.removed:
        removed.add_row(Text(entry["what"]), f"{entry['count']:,}", Text(entry["place"], overflow="fold"))
    out.print(removed)
    remains = Table("remains", "why")
    for entry in receipt.remains:
        remains.add_row(Text(entry["place"], overflow="fold"), Text(entry["why"]))
    out.print(remains)
    if receipt.tainted_releases:
        versions = ", ".join(map(str, receipt.tainted_releases))
        out.print(f"Versions that learned from the person: {versions}")
