"""Splits queries by an attribute of their user: text by value, numbers by quantile."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

# The dimension of an attribute of the users starts with this.
USER_ATTRIBUTE: Final = "user's "
# An attribute with more values (a zip code) identifies users rather than groups them.
MAX_VALUES: Final = 50
# The most frequent values have a slice each, all others share one.
MAX_SLICES: Final = 8
QUANTILES: Final = 4

Masks = dict[str, NDArray[np.bool_]]  # label -> [queries] whether a query belongs to it


def split_by_attribute(users: pa.Table, user_ids: Sequence[str]) -> dict[str, Masks]:
    """Map each attribute to its labels and their masks over `user_ids` [queries]."""
    rows = pc.index_in(pa.array(user_ids, pa.string()), users["user_id"].combine_chunks())
    slices = {}
    for name in users.column_names:
        if name == "user_id":
            continue
        values = users[name].combine_chunks().take(rows)
        if pa.types.is_floating(values.type) or pa.types.is_integer(values.type):
            slices[name] = _by_quantile(values.cast(pa.float64()).fill_null(np.nan).to_numpy())
        elif pa.types.is_string(values.type):
            slices[name] = _by_value(values.to_pylist())
    return slices


def _by_value(values: list[str | None]) -> Masks:
    counts = Counter(value for value in values if value is not None)
    if len(counts) > MAX_VALUES:
        return {}
    ordered = [value for value, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))]
    frequent = ordered if len(ordered) <= MAX_SLICES + 1 else ordered[:MAX_SLICES]
    column = np.array(values, object)
    masks = {value: np.asarray(column == value, bool) for value in frequent}
    if len(frequent) < len(ordered):
        label = f"{len(ordered) - len(frequent)} others"
        masks[label] = np.isin(column, ordered[len(frequent) :])
    return masks


def _by_quantile(values: NDArray[np.float64]) -> Masks:
    present = values[~np.isnan(values)]
    if not len(present):
        return {}
    edges = np.unique(np.quantile(present, np.arange(1, QUANTILES) / QUANTILES, method="inverted_cdf"))
    bucket = np.searchsorted(edges, values, side="left")
    masks = [(bucket == number) & ~np.isnan(values) for number in range(len(edges) + 1)]
    return {_range(values, mask, edges): mask for mask in masks if mask.any()}


def _range(values: NDArray[np.float64], mask: NDArray[np.bool_], edges: NDArray[np.float64]) -> str:
    """Return the label of a slice; the extremes of all values, which may be one person's, stay unnamed."""
    low, high = values[mask].min(), values[mask].max()
    if low == high:
        return f"{low:g}"
    if low > edges[-1]:
        return f"above {edges[-1]:g}"
    return f"up to {high:g}" if high <= edges[0] else f"{low:g}–{high:g}"
