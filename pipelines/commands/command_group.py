"""The group of all commands; its messages show wrong arguments as text."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from typer import TyperException
from typer.core import TyperGroup

from feature_repo.printable_text import printable


class CommandGroup(TyperGroup):
    """Escapes control characters in messages about wrong arguments, and cuts huge arguments."""

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        with _printable_errors():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: Any) -> Any:
        with _printable_errors():
            return super().invoke(ctx)


@contextmanager
def _printable_errors() -> Iterator[None]:
    try:
        yield
    except TyperException as error:
        if message := getattr(error, "message", ""):
            error.message = printable(message, lines=True)
        raise
