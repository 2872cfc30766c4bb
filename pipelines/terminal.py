"""The console of all commands, which prints text as it is: no markup, no control characters."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from feature_repo.printable_text import printable


class Terminal(Console):
    """A console for text that may come from data, such as titles, reasons and errors.

    A string is never markup (`[bold]`) nor an emoji code (`:smile:`); styles are given by rich.text.Text or
    by `style=`. Control characters, also those in a Text, are shown escaped.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(printable(text, lines=True), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable(text, lines=True), style, control)
