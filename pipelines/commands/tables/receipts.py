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
    if receipt.retraining:
        run, live = receipt.retraining["run"], receipt.retraining["live"]
        trained = f"Run {run} has trained again. " if run else ""
        # Receipts of before name the live version alone.
        versions = receipt.retraining.get("versions", [live] if receipt.retraining["learned"] else [])
        learned = "has learned from erased users" if live in versions else "has learned from no erased user"
        is_live = f"The live version, {live}, {learned}." if live else "No version is live."
        out.print(trained + is_live, soft_wrap=True)
        if tried := [str(version) for version in versions if version != live]:
            out.print(f"The running experiment uses versions that have: {', '.join(tried)}.", soft_wrap=True)
