"""Consoles, exit codes, and the one message that a command prints for an expected error."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import ENOSPC

import typer

from pipelines.terminal import Terminal

FAILED, WRONG_USE = 1, 2

# Without a terminal the width is unknown; at 120 columns the rows of most tables stay on one line.
WIDTH = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 120
out, err = Terminal(width=WIDTH), Terminal(stderr=True)


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Print an expected error as one message, without a traceback, and exit with its code."""
    try:
        with _one_message():
            yield
    except KeyboardInterrupt:
        _fail("stopped", FAILED)


@contextmanager
def go_on_after_error() -> Iterator[None]:
    """Print an expected error as one message, without a traceback, and go on; Ctrl-C ends the command."""
    with suppress(typer.Exit), _one_message():
        yield


@contextmanager
def _one_message() -> Iterator[None]:
    from components.errors import StepError
    from pipelines.errors import RunError
    from serving.errors import PenchantError

    try:
        yield
    except ValueError as error:
        _fail(str(error), WRONG_USE)
    except (StepError, RunError, PenchantError, LookupError) as error:
        _fail(str(error), FAILED)
    except OSError as error:
        advice = "; free some disk space and repeat: the live release is unchanged"
        _fail(f"{error}{advice if error.errno == ENOSPC else ''}", FAILED)


def _fail(message: str, code: int) -> None:
    err.print(message, style="red", soft_wrap=True)
    raise typer.Exit(code)
