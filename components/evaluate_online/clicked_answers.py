"""Which places of each answer were clicked, for off-policy evaluation."""

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import pyarrow as pa

from components.evaluate_online.attribution import attribute
from components.evaluate_online.recorded_window import read_window
from components.ingest_interactions.duckdb_session import connect
from components.ingest_interactions.warehouse.manifest import Warehouse
from serving.exposures.exposure import Exposure

_DAY_US: Final = 86_400_000_000

# (user id, request id) -> 1 or 0 for each place of the answer, whether it was clicked.
Clicks = Mapping[tuple[str, str], list[float]]

_KEYS: Final = pa.schema([("user_id", pa.string()), ("request_id", pa.string())])
_CLICKED: Final = """
    SELECT user_id, request_id, list(clicked ORDER BY place)::DOUBLE[] FROM places {wanted} GROUP BY ALL
"""


def clicked_answers(
    url: str,
    warehouse: str,
    start: int,
    end: int,
    until: int = 0,
    answers: Iterable[Exposure] | None = None,
) -> Clicks:
    """Map (user id, request id) -> 1 or 0 for each place of the answers from `start` until before `end`, µs.

    Interactions until `until`, by default `end`, count by the rules of attribution.attribute, with the last
    touch within a day.

    Args:
        answers: only these are in the result, by default all of the window. Interactions belong to the same
            answers either way.

    Raises:
        ValueError: nothing was shown in the window.
        StepError: the log can't be read.
    """
    store = Warehouse(warehouse)
    with tempfile.TemporaryDirectory(prefix="penchant-") as folder, connect() as connection:
        attribute(connection, read_window(url, store, start, end, until or end, Path(folder)), _DAY_US)
        wanted = ""
        if answers is not None:
            keys = [dict(zip(("user_id", "request_id"), key_of(each), strict=True)) for each in answers]
            connection.register("wanted", pa.Table.from_pylist(keys, _KEYS))
            wanted = "SEMI JOIN wanted USING (user_id, request_id)"
        rows = connection.execute(_CLICKED.format(wanted=wanted)).fetchall()
    return {(user_id, request_id): clicked for user_id, request_id, clicked in rows}


def key_of(exposure: Exposure) -> tuple[str, str]:
    """Return the key of an answer in Clicks."""
    return exposure.user_id, exposure.request_id
