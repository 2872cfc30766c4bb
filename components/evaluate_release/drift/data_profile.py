"""Summarises the data that a version was trained on, so that a later version can be compared with it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components.evaluate_release.metrics.list_metrics import gini
from serving.release.catalog import Catalog

# A column with more distinct values (prices, seconds) has no mix of values.
MAX_VALUES: Final = 20
TOP_SHARES: Final = (0.01, 0.1)


@dataclass(frozen=True)
class DataProfile:
    """Counts and mixes of all interactions of a snapshot; a mix maps a name to its number of interactions."""

    interactions: int
    users: int
    items: int  # with an interaction
    catalog: int  # items that can be recommended
    first: int  # µs, the oldest interaction
    last: int  # µs, the newest one
    event_types: dict[str, float]
    values: dict[str, float]  # such as ratings; empty if there are more than MAX_VALUES different ones
    categories: dict[str, float]  # an interaction is split over the categories of its item
    top_shares: dict[str, float]  # "1 %" -> the share of all interactions that the top 1 % of the items have
    gini: float  # of the interactions over the items of the catalog


def profile(training_set: pa.Table, catalog: Catalog, counts: NDArray[np.int64]) -> DataProfile:
    """Summarise the split "all", which has each interaction once; `counts`: [items] as `item_counts` returns.

    Raises:
        ValueError: the split has no interaction.
    """
    rows = everything(training_set)
    item_ids, times = pc.list_flatten(rows["item_ids"]), pc.list_flatten(rows["timestamps"]).cast(pa.int64())
    if not len(item_ids):
        raise ValueError("the training set has no interaction in its split 'all': build the features again")
    window = pc.min_max(times).as_py()
    ordered = np.sort(counts)[::-1]
    total = max(int(ordered.sum()), 1)
    return DataProfile(
        interactions=len(item_ids),
        users=pc.count_distinct(rows["user_id"]).as_py(),
        items=pc.count_distinct(item_ids).as_py(),
        catalog=len(catalog),
        first=window["min"],
        last=window["max"],
        event_types=_mix(pc.list_flatten(rows["event_types"])),
        values=_value_mix(pc.list_flatten(rows["values"])),
        categories=_category_mix(catalog, counts),
        top_shares={
            f"{share:.0%}".replace("%", " %"): float(
                ordered[: max(1, round(share * len(ordered)))].sum() / total
            )
            for share in TOP_SHARES
        },
        gini=gini(counts),
    )


def item_counts(training_set: pa.Table, index: pa.Array) -> NDArray[np.int64]:
    """Return [items] the number of interactions of each item of the catalog, whose ids are `index`."""
    items = pc.index_in(pc.list_flatten(everything(training_set)["item_ids"]), index).drop_null()
    return np.bincount(items.to_numpy(), minlength=len(index))


def user_hashes(training_set: pa.Table) -> NDArray[np.uint64]:
    """Return [users] a hash of each user's id, ascending: new users can be counted, and no id is stored."""
    return np.unique(hash_ids(everything(training_set)["user_id"].unique().to_pylist()))


def hash_ids(user_ids: Sequence[str]) -> NDArray[np.uint64]:
    """Return [users] the hash of each id: without a key, so whoever guesses an id can recognise it."""
    return pd.util.hash_array(np.array(user_ids, object))


def everything(training_set: pa.Table) -> pa.Table:
    """Return the rows of the split that has each interaction once."""
    return training_set.filter(pc.equal(training_set["split"], "all"))


def _mix(names: pa.ChunkedArray) -> dict[str, float]:
    counts = {str(pair["values"]): float(pair["counts"]) for pair in names.value_counts().to_pylist()}
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _value_mix(values: pa.ChunkedArray) -> dict[str, float]:
    known = values.filter(pc.invert(pc.is_nan(values)))
    if not 1 < pc.count_distinct(known).as_py() <= MAX_VALUES:
        return {}
    pairs: list[dict[str, Any]] = known.value_counts().to_pylist()
    return {f"{pair['values']:g}": float(pair["counts"]) for pair in sorted(pairs, key=lambda p: p["values"])}


def _category_mix(catalog: Catalog, counts: NDArray[np.int64]) -> dict[str, float]:
    mix = Counter[str]()
    for categories, count in zip(catalog.categories, counts.tolist(), strict=True):
        for category in categories:
            mix[category] += count / len(categories)
    return dict(sorted(mix.items(), key=lambda pair: (-pair[1], pair[0])))
