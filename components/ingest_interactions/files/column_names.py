"""Checks that the files of a folder or a pattern are parts of one table."""

from components.errors import StepError


def check_columns(columns: dict[str, set[str]], name: str) -> None:
    """Accept files of which one has all columns, and the others at least half of them.

    Args:
        columns: file -> names of its columns.

    Raises:
        StepError: the files have different columns.
    """
    widest = max(columns, key=lambda file: len(columns[file]))
    for file, names in columns.items():
        if not names <= columns[widest] or 2 * len(names) < len(columns[widest]):
            raise StepError(
                f"{name}: its files have different columns: {widest} has {_list(columns[widest])}; "
                f"{file} has {_list(names)}. Give one file, or a pattern of those that belong together"
            )


def _list(names: set[str]) -> str:
    return ", ".join(sorted(names))[:200]
