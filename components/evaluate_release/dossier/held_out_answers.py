"""The answers of all models to the test queries, kept so that later versions can be paired with them."""

import json
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components.evaluate_release.report.results import EvaluationResults
from components.metrics.attribute_slices import Masks

LISTED: Final = 10  # items of a list
HISTORY: Final = 5  # newest items of a history
KEYS: Final = ("user_id", "cutoff", "target_id")

Ranks = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class HeldOutAnswers:
    """Parallel arrays, one entry per test query; items are rows of the version's items table, -1 for none."""

    user_ids: NDArray[np.object_]
    cutoffs: NDArray[np.int64]  # µs
    target_ids: NDArray[np.object_]
    lengths: NDArray[np.int64]  # interactions in the history
    history: Ranks  # [queries, HISTORY] newest first
    ranks: dict[str, Ranks]  # model -> [queries] of the target
    items: dict[str, Ranks]  # model -> [queries, LISTED] best first
    slices: dict[str, Masks]  # dimension -> label -> [queries]

    def __len__(self) -> int:
        return len(self.user_ids)

    @classmethod
    def of(cls, results: EvaluationResults) -> "HeldOutAnswers":
        """Take the answers of an evaluation."""
        queries = results.test
        history = np.full((len(queries), HISTORY), -1, np.int32)
        for row, items in zip(history, queries.items, strict=True):
            newest = items[::-1][:HISTORY]
            row[: len(newest)] = newest
        ids = np.array(results.catalog.item_ids, object)
        return cls(
            np.array(queries.user_ids, object),
            queries.cutoffs,
            ids[queries.targets],
            queries.lengths(),
            history,
            {name: model.ranks for name, model in results.models.items()},
            {name: model.items[:, :LISTED] for name, model in results.models.items()},
            results.slice_masks,
        )

    @property
    def users(self) -> NDArray[np.int64]:
        """[queries] the number of the query's user, from 0."""
        return np.unique(self.user_ids.astype(str), return_inverse=True)[1].astype(np.int64)

    def to_table(self) -> pa.Table:
        columns = {
            "user_id": pa.array(self.user_ids, pa.string()),
            "cutoff": pa.array(self.cutoffs),
            "target_id": pa.array(self.target_ids, pa.string()),
            "length": pa.array(self.lengths),
            "history": _lists(self.history),
            **{f"rank {name}": pa.array(ranks) for name, ranks in self.ranks.items()},
            **{f"items {name}": _lists(items) for name, items in self.items.items()},
        }
        for dimension, masks in self.slices.items():
            labels = np.full(len(self), None, object)
            for label, mask in masks.items():
                labels[mask] = label
            columns[f"slice {dimension}"] = pa.array(labels, pa.string())
        order = {dimension: list(masks) for dimension, masks in self.slices.items()}
        return pa.table(columns).replace_schema_metadata({"slices": json.dumps(order)})

    @classmethod
    def from_table(cls, table: pa.Table) -> "HeldOutAnswers":
        models = [name.removeprefix("rank ") for name in table.column_names if name.startswith("rank ")]
        order = json.loads(table.schema.metadata[b"slices"])
        return cls(
            table["user_id"].to_numpy(),
            table["cutoff"].to_numpy(),
            table["target_id"].to_numpy(),
            table["length"].to_numpy(),
            _matrix(table["history"]),
            {name: table[f"rank {name}"].to_numpy() for name in models},
            {name: _matrix(table[f"items {name}"]) for name in models},
            {
                dimension: {
                    label: pc.equal(table[f"slice {dimension}"], label).fill_null(False).to_numpy()
                    for label in labels
                }
                for dimension, labels in order.items()
            },
        )


def shared_queries(
    ours: HeldOutAnswers, theirs: HeldOutAnswers
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the positions of the queries that both have, in each of them: same user, time and target."""
    left, right = (
        pa.table(
            {
                "user_id": pa.array(part.user_ids, pa.string()),
                "cutoff": part.cutoffs,
                "target_id": pa.array(part.target_ids, pa.string()),
                name: np.arange(len(part)),
            }
        )
        for name, part in (("ours", ours), ("theirs", theirs))
    )
    joined = left.join(right, list(KEYS), join_type="inner").sort_by(
        [("ours", "ascending"), ("theirs", "ascending")]
    )
    # A query that is there twice is paired once.
    positions, first = np.unique(joined["ours"].to_numpy(), return_index=True)
    return positions, joined["theirs"].to_numpy()[first]


def _lists(rows: Ranks) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.astype(np.int32).ravel()), rows.shape[1])


def _matrix(column: pa.ChunkedArray) -> Ranks:
    values = column.combine_chunks().flatten().to_numpy()
    return np.asarray(values, np.int32).reshape(len(column), column.type.list_size)
