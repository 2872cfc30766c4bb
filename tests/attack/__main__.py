"""Attacks Penchant on loopback with bounded scripts, and prints what holds.

python -m tests.attack [NAME …] [--minutes M]

It exits with 1 when a figure misses its goal. To add an attack, write a module with `figures()` and list it
here.
"""

import argparse
import sys
from types import ModuleType
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.attack import (
    busy_user,
    damaged_releases,
    faults,
    guessed_tokens,
    killed_pushes,
    killed_recorders,
    log_faults,
    made_up_items,
    many_users,
    orphaned_processes,
    oversized_requests,
    poisoned_recordings,
    random_requests,
    stalled_streams,
)
from tests.attack.figures import Figure

ATTACKS: Final[tuple[ModuleType, ...]] = (
    stalled_streams,
    oversized_requests,
    guessed_tokens,
    random_requests,
    busy_user,
    log_faults,
    killed_recorders,
    poisoned_recordings,
    made_up_items,
    many_users,
    killed_pushes,
    damaged_releases,
    orphaned_processes,
    faults,
)


def main() -> int:
    attacks = {module.__name__.rpartition(".")[2]: module for module in ATTACKS}
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__.splitlines()[0])
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"one of {', '.join(attacks)}; all by default"
    )
    parser.add_argument("--minutes", type=float, default=2, help="how long random_requests sends requests")
    options = parser.parse_args()
    names = options.names or list(attacks)
    if unknown := sorted(set(names) - attacks.keys()):
        parser.error(f"NAME={unknown[0]!r}: expected one of {', '.join(attacks)}")
    console = Console(width=120)
    figures = list[Figure]()
    for number, name in enumerate(names, start=1):
        console.print(Text(f"{number} of {len(names)}: {name}"), style="dim")
        duration = (options.minutes,) if attacks[name] is random_requests else ()
        figures += attacks[name].figures(*duration)
    console.print(_table(figures))
    return int(not all(figure.ok for figure in figures))


def _table(figures: list[Figure]) -> Table:
    table = Table("attack", "reached", "wanted", "")
    for figure in figures:
        mark = Text("ok", "green") if figure.ok else Text("missed", "red")
        table.add_row(Text(figure.what), Text(figure.reached), Text(figure.wanted), mark)
    return table


if __name__ == "__main__":
    sys.exit(main())
