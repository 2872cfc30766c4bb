"""Estimates how much memory an evaluation takes, before it begins."""

from pathlib import Path
from typing import Final

import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.evaluate_release.data.training_set_rows import HELD_OUT, check_columns
from components.memory import check_memory

# Measured with `python -m tests.benchmarks.scale` (figures in components/README.md): 1,700 to 200,000 items,
# 1,000 to 1,000,000 users, up to 10,000,000 interactions. TensorFlow and the blocks of queries, which are as
# large for any data, take the base. The interactions of other users are only counted.
BASE_BYTES: Final = 2_000_000_000
BYTES_PER_ITEM: Final = 2_500
BYTES_PER_USER: Final = 200
BYTES_PER_INTERACTION: Final = 320  # of a held-out query's history


def check_evaluation_memory(training_set: Path, items: Path, users: Path | None, filters: Path) -> None:
    """Report the memory of an evaluation of these files.

    Args:
        filters: the folder of the collaborative filters, which the evaluation maps into its memory.

    Raises:
        StepError: it is more than this process can have, or the training set lacks a column.
    """
    queries, interactions = _held_out(training_set)
    item_count, user_count = (pq.read_metadata(file).num_rows if file else 0 for file in (items, users))
    needed = BASE_BYTES + sum(file.stat().st_size for file in filters.rglob("*") if file.is_file())
    needed += BYTES_PER_ITEM * item_count + BYTES_PER_USER * user_count + BYTES_PER_INTERACTION * interactions
    held_out = f"{queries:,} queries with {interactions:,} interactions"
    size = f"{item_count:,} items, {user_count:,} users and {held_out}"
    check_memory("evaluation", size, needed, "give the step more memory, or recommend fewer items")


def _held_out(training_set: Path) -> tuple[int, int]:
    """Return the number of held-out queries, and of the interactions in their histories."""
    queries, interactions = 0, 0
    with pq.ParquetFile(training_set) as file:
        check_columns(training_set, file.schema_arrow.names)
        # The column of the values is the smallest to read of those with an entry for each interaction.
        for rows in file.iter_batches(columns=["split", "values"]):
            lengths = pc.list_value_length(rows["values"]).filter(pc.is_in(rows["split"], HELD_OUT))
            queries += len(lengths)
            interactions += pc.sum(lengths).as_py() or 0
    return queries, interactions
