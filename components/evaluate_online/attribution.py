"""Attributes what users did to the places of the answers that showed them the items.

- *by request*: an interaction with a request id belongs to that answer, whenever it happened; to none if that
  answer was not recorded or did not show the item.
- *by time*: an interaction without a request id belongs to an answer that showed the item to the user within
  the window before it: with `last` touch to the last one, with `first` touch to the first one.
- *left out*: interactions of bots and duplicates, by the rules of components.validate_interactions, and the
  answers to bots. Of answers to the same request of a user, only the last one counts.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pyarrow as pa
from duckdb import DuckDBPyConnection

from components.evaluate_online.recorded_window import RecordedWindow
from components.ingest_interactions.duckdb_session import file_list
from components.validate_interactions.bots_and_duplicates import find_bots_and_duplicates
from feature_repo.event_types import IMPRESSION, KNOWN, RATE, Kind

Touch = Literal["first", "last"]

CONVERSIONS: Final = ("purchase", "subscribe", "install", "apply", "contact")
# Answers to "Was this useful?".
USEFUL, NOT_USEFUL = "useful", "not_useful"

# Users are resampled; those of a bucket together, so that the number of resampled rows has a limit.
BUCKETS: Final = 2_000

_ANSWERS: Final = f"""
    CREATE TABLE answers AS
    SELECT row_number() OVER (ORDER BY "timestamp", request_id, user_id) AS answer, *,
        CASE WHEN user_id = '' THEN 'request ' || request_id ELSE user_id END AS person,
        (hash(person) % {BUCKETS})::INTEGER AS bucket
    FROM read_parquet({{exposures}})
    WHERE user_id NOT IN (FROM bots)
    QUALIFY row_number() OVER (PARTITION BY user_id, request_id ORDER BY "timestamp" DESC) = 1
"""
_SHOWN: Final = """
    CREATE TABLE shown AS
    SELECT answer, request_id, user_id, "timestamp", unnest(item_ids) AS item_id,
        unnest(sources) AS sources, unnest(propensities) AS propensity,
        unnest(range(1, len(item_ids) + 1))::INTEGER AS place
    FROM answers
"""
_BY_REQUEST: Final = """
    CREATE TABLE attributed AS
    SELECT events.*, shown.answer, shown.place, 'request' AS found_by
    FROM events JOIN shown ON shown.request_id = events.request_id AND shown.item_id = events.item_id
        AND shown.user_id IN (events.user_id, '')
    QUALIFY row_number() OVER (PARTITION BY interaction_id ORDER BY shown.user_id DESC, shown.place) = 1
"""
_BY_TIME: Final = """
    INSERT INTO attributed
    SELECT events.*, shown.answer, shown.place, 'time' AS found_by
    FROM events JOIN shown ON shown.user_id = events.user_id AND shown.item_id = events.item_id
        AND shown."timestamp" <= events."timestamp"
        AND shown."timestamp" >= events."timestamp" - to_microseconds({window})
    WHERE events.request_id IS NULL
    QUALIFY row_number() OVER (
        PARTITION BY interaction_id ORDER BY shown."timestamp" {order}, shown.place
    ) = 1
"""
_PLACES: Final = f"""
    CREATE TABLE places AS
    WITH outcomes AS (
        SELECT answer, place,
            bool_or(kind = '{Kind.POSITIVE}' AND event_type NOT IN ('{USEFUL}', '{RATE}')) AS clicked,
            bool_or(event_type IN (FROM conversions)) AS converted,
            bool_or(kind = '{Kind.NEGATIVE}' AND event_type <> '{NOT_USEFUL}') AS dismissed,
            sum(value) FILTER (is_dwell) AS dwell, count(value) FILTER (is_dwell) AS dwells,
            sum(value) FILTER (event_type = '{RATE}') AS rating,
            count(value) FILTER (event_type = '{RATE}') AS ratings,
            count(*) FILTER (event_type = '{USEFUL}') AS useful,
            count(*) FILTER (event_type IN ('{USEFUL}', '{NOT_USEFUL}')) AS judged
        FROM (
            SELECT *, event_type IN ('view', 'click', 'play', 'listen', 'watch', 'read') AS is_dwell
            FROM attributed LEFT JOIN kinds USING (event_type)
        ) GROUP BY ALL
    )
    SELECT shown.*, person, bucket, release, scenario, basis, degraded, experiment, arm,
        coalesce(credits[place], 0)::DOUBLE AS credit,
        coalesce(clicked, false)::INTEGER AS clicked, coalesce(converted, false)::INTEGER AS converted,
        coalesce(dismissed, false)::INTEGER AS dismissed, coalesce(dwell, 0) AS dwell,
        coalesce(dwells, 0) AS dwells, coalesce(rating, 0) AS rating, coalesce(ratings, 0) AS ratings,
        coalesce(useful, 0) AS useful, coalesce(judged, 0) AS judged
    FROM shown JOIN answers USING (answer) LEFT JOIN outcomes USING (answer, place)
"""


@dataclass(frozen=True)
class AttributedEvents:
    """How many interactions were attributed, and how many were left out."""

    by_request: int
    by_time: int
    unattributed: int
    bots: int
    duplicates: int
    bot_users: int


def attribute(
    connection: DuckDBPyConnection,
    recorded: RecordedWindow,
    window_us: int,
    touch: Touch = "last",
    conversions: Collection[str] = CONVERSIONS,
) -> AttributedEvents:
    """Create the tables `answers`, and `places` with one row for each place of an answer and its outcomes.

    Args:
        window_us: time after an answer within which an interaction without a request id can belong to it.
        conversions: event types.
    """
    found = find_bots_and_duplicates(recorded.events, np.zeros(0, np.int64))
    connection.register("left_out", pa.table({"row": np.concatenate([found.bots, found.duplicates])}))
    connection.register("bots", pa.table({"user_id": pa.array(found.bot_users, pa.string())}))
    kinds = [(name, str(kind)) for name, (kind, _) in KNOWN.items()]
    connection.register(
        "kinds", pa.table({"event_type": [n for n, _ in kinds], "kind": [k for _, k in kinds]})
    )
    connection.register("conversions", pa.table({"event_type": pa.array(sorted(conversions), pa.string())}))
    connection.execute(
        f"""CREATE TABLE events AS SELECT * EXCLUDE file_row_number
        FROM read_parquet({file_list([recorded.events])}, file_row_number = true)
        WHERE file_row_number NOT IN (SELECT row FROM left_out) AND item_id IS NOT NULL
            AND event_type <> '{IMPRESSION}'"""
    )
    connection.execute(_ANSWERS.format(exposures=file_list([recorded.exposures])))
    connection.execute(_SHOWN)
    connection.execute(_BY_REQUEST)
    connection.execute(_BY_TIME.format(window=window_us, order="DESC" if touch == "last" else "ASC"))
    connection.execute(_PLACES)
    counts = dict(connection.execute("SELECT found_by, count(*) FROM attributed GROUP BY ALL").fetchall())
    (total,) = connection.execute("SELECT count(*) FROM events").fetchall()[0]
    by_request, by_time = counts.get("request", 0), counts.get("time", 0)
    return AttributedEvents(
        by_request,
        by_time,
        total - by_request - by_time,
        len(found.bots),
        len(found.duplicates),
        len(found.bot_users),
    )
