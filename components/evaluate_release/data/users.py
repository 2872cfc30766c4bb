"""What is known of users beside their histories: profiles for those without one, and slices by attribute."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.errors import StepError
from serving.ranking.cold_start import Profile

# An attribute with more values (a zip code) tells users apart rather than together.
MAX_VALUES: Final = 50
# The commonest values stand alone, the rest together.
SHOWN_VALUES: Final = 8
BANDS: Final = 4

Cut = dict[str, NDArray[np.bool_]]


def read_users(file: Path) -> pa.Table:
    """user_id and attributes, text or numbers.

    Raises:
        StepError: the file can't be read or has no user_id.
    """
    try:
        users = pq.read_table(file)
    except (OSError, pa.ArrowException) as error:
        raise StepError(f"users {file} can't be read ({error}): expected a Parquet file") from error
    if "user_id" not in users.column_names:
        raise StepError(f"users {file} have the columns {users.column_names}, expected user_id among them")
    return users


def profiles(users: pa.Table, user_ids: Sequence[str]) -> dict[str, Profile]:
    """User -> attributes that are known, as the online store gives them, of those among `user_ids`."""
    wanted = pa.array(list(dict.fromkeys(user_ids)), pa.string())
    rows = users.filter(pc.is_in(users["user_id"], wanted)).to_pylist()
    return {
        row["user_id"]: {
            name: value
            for name, value in row.items()
            if name != "user_id" and isinstance(value, str | float | int)
        }
        for row in rows
    }


def cut_by_attribute(users: pa.Table, user_ids: Sequence[str]) -> dict[str, Cut]:
    """Attribute -> label -> [user_ids] whether a user belongs to it.

    Text by value, numbers in BANDS of about as many users each.
    """
    places = pc.index_in(pa.array(user_ids, pa.string()), users["user_id"].combine_chunks())
    cuts = {}
    for name in users.column_names:
        if name == "user_id":
            continue
        values = users[name].combine_chunks().take(places)
        if pa.types.is_floating(values.type) or pa.types.is_integer(values.type):
            cuts[name] = _by_number(values.cast(pa.float64()).fill_null(np.nan).to_numpy())
        elif pa.types.is_string(values.type):
            cuts[name] = _by_value(values.to_pylist())
    return cuts


def _by_value(values: list[str | None]) -> Cut:
    counts = Counter(value for value in values if value is not None)
    if len(counts) > MAX_VALUES:
        return {}
    ordered = [value for value, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))]
    shown = ordered if len(ordered) <= SHOWN_VALUES + 1 else ordered[:SHOWN_VALUES]
    column = np.array(values, object)
    cut = {value: np.asarray(column == value, bool) for value in shown}
    if len(shown) < len(ordered):
        label = f"{len(ordered) - len(shown)} others"
        cut[label] = np.isin(column, ordered[len(shown) :])
    return cut


def _by_number(values: NDArray[np.float64]) -> Cut:
    known = values[~np.isnan(values)]
    if not len(known):
        return {}
    cuts = np.unique(np.quantile(known, np.arange(1, BANDS) / BANDS, method="inverted_cdf"))
    place = np.searchsorted(cuts, values, side="left")
    bands = [(place == band) & ~np.isnan(values) for band in range(len(cuts) + 1)]
    return {_band(values[band].min(), values[band].max()): band for band in bands if band.any()}


def _band(low: float, high: float) -> str:
    return f"{low:g}" if low == high else f"{low:g}–{high:g}"
