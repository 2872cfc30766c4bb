"""How a command speaks and ends: its consoles, one message for what went wrong, its exit code."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from errno import ENOSPC

import typer
from rich.console import Console

DONE, FAILED, WRONG_USE = 0, 1, 2

# Where no terminal says how wide it is, tables keep their lines whole.
WIDTH = None if sys.stdout.isatty() else 120
out, err = Console(highlight=False, width=WIDTH), Console(stderr=True, highlight=False)


@contextmanager
def acting() -> Iterator[None]:
    """Turn what can go wrong into one message and an exit code."""
    from components.errors import StepError
    from pipelines.errors import RunError
    from serving.errors import PenchantError

    try:
        yield
    except ValueError as error:
        _fail(str(error), WRONG_USE)
    except KeyboardInterrupt:
        _fail("stopped", FAILED)
    except (StepError, RunError, PenchantError, LookupError) as error:
        _fail(str(error), FAILED)
    except OSError as error:
        full = "; free some space and repeat: what is live is as it was" if error.errno == ENOSPC else ""
        _fail(f"{error}{full}", FAILED)


def _fail(message: str, code: int) -> None:
    err.print(message, style="red", markup=False)
    raise typer.Exit(code)
