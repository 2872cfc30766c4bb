"""Turns errors of DuckDB and Arrow about a file's content into advice for the user."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import duckdb
import pyarrow as pa

from components.errors import StepError

CONTENT: Final = (duckdb.InvalidInputException, duckdb.IOException, duckdb.SerializationException)


@contextmanager
def damage_reported(name: str) -> Iterator[None]:
    """Raise StepError for content that can't be read; let other errors pass.

    Args:
        name: the file in the message.

    Raises:
        StepError: the file is damaged.
    """
    try:
        yield
    except (pa.ArrowInvalid, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise _damaged(name, error) from error
    except duckdb.Error as error:
        # A damaged Parquet page can raise the base class.
        is_content = isinstance(error, CONTENT) or type(error) is duckdb.Error
        if not is_content or "No space left on device" in str(error):
            raise
        raise _damaged(name, error) from error


def _damaged(name: str, error: Exception) -> StepError:
    reason = " ".join(str(error).split("LINE 1:")[0].split()).removeprefix("Invalid Input Error: ")
    return StepError(f"{name}: damaged or cut short ({reason}): copy or write the file again")
