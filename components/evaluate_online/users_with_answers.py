"""Finds the users who were shown an answer that is based on a snapshot of the features."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from components.errors import StepError
from components.ingest_interactions.warehouse.recorded_interactions import log_exists
from serving.errors import Unavailable
from serving.exposures.exposure_store import ExposureStore


@contextmanager
def users_with_answers(url: str) -> Iterator[Callable[[int, int], set[str]]]:
    """Yield ExposureStore.users_of; a log that does not exist yet has no users.

    Args:
        url: of the interaction log.

    Raises:
        StepError: the log can't be read.
    """
    if not log_exists(url):
        yield lambda snapshot, until: set()
        return
    store = ExposureStore(url)
    try:
        yield store.users_of
    except Unavailable as error:
        raise StepError(f"the exposures can't be read: {error}") from error
    finally:
        store.close()
