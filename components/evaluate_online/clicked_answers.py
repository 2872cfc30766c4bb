"""Which places of each answer were clicked, for off-policy evaluation."""

import tempfile
from pathlib import Path

from components.evaluate_online.attribution import attribute
from components.evaluate_online.recorded_window import read_window
from components.ingest_interactions.duckdb_session import connect
from components.ingest_interactions.warehouse.manifest import Warehouse

_DAY_US = 86_400_000_000


def clicked_answers(
    url: str, warehouse: str, start: int, end: int, until: int = 0
) -> dict[tuple[str, str], list[float]]:
    """Map (user id, request id) -> 1 or 0 for each place of the answers from `start` until before `end`, µs.

    Interactions until `until`, by default `end`, count by the rules of attribution.attribute, with the last
    touch within a day.

    Raises:
        ValueError: nothing was shown in the window.
        StepError: the log can't be read.
    """
    store = Warehouse(warehouse)
    with tempfile.TemporaryDirectory(prefix="penchant-") as folder, connect() as connection:
        attribute(connection, read_window(url, store, start, end, until or end, Path(folder)), _DAY_US)
        rows = connection.execute(
            "SELECT user_id, request_id, list(clicked ORDER BY place)::DOUBLE[] FROM places GROUP BY ALL"
        ).fetchall()
    return {(user_id, request_id): clicked for user_id, request_id, clicked in rows}
