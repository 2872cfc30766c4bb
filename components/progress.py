"""Progress lines of a step: marked lines on standard output, which every runner shows."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

MARK: Final = "» "

# A Python literal; not the apostrophe of a word, and not a separator such as ',', which says nothing.
_QUOTED: Final = re.compile(r"""(?<!\w)(?=.\W*\w)('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""")

_hides_cells: Final = ContextVar("hides_cells", default=False)


def report(line: str) -> None:
    """Print `line`; the runner shows it while the step runs."""
    print(f"{MARK}{without_cells(line) if _hides_cells.get() else line}", flush=True)


@contextmanager
def hidden_cells() -> Iterator[None]:
    """Report lines without the cells of a file that they quote, until the end of the block."""
    token = _hides_cells.set(True)
    try:
        yield
    finally:
        _hides_cells.reset(token)


def without_cells(text: str) -> str:
    """Return a message without what it quotes."""
    return _QUOTED.sub("(not shown)", text)
