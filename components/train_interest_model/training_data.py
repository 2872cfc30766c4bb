"""Reads the training data and encodes it for the model."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.errors import StepError
from components.row_preferences import flat_values, flatten, preferences_by_user
from components.train_interest_model.data.item_content import ContentEncoder
from components.train_interest_model.data.sequences import (
    Sequences,
    encode,
    flat_attributes,
    read_rows,
)
from components.train_interest_model.data.vocabulary import Vocabulary
from components.train_interest_model.export.saved_weights import SavedWeights
from components.train_interest_model.hyperparameters import Hyperparameters
from feature_repo.feedback import FeedbackPolicy


@dataclass(frozen=True)
class TrainingData:
    """A split of the training set, and its encoding."""

    catalog: pa.Table
    rows: pa.Table
    vocabulary: Vocabulary
    content: ContentEncoder
    sequences: Sequences

    @property
    def counts(self) -> NDArray[np.int64]:
        """[items] the number of positive training interactions."""
        return np.bincount(self.sequences.target_items, minlength=len(self.catalog))


def read(
    training_set: Path,
    items: Path,
    split: str,
    requested: Hyperparameters,
    base: SavedWeights | None,
    feedback: FeedbackPolicy,
) -> TrainingData:
    """Read a split; a base model's codes don't change, so that its weights stay valid.

    Raises:
        StepError: a column is missing, or the split has no positive interaction with an item of the catalog.
    """
    catalog, rows = pq.read_table(items), read_rows(training_set, split)
    vocabulary = Vocabulary.build(
        catalog["item_id"].to_pylist(),
        flatten(rows["event_types"]),
        flat_values(rows),
        feedback,
    )
    if requested.use_user_attributes:
        vocabulary = vocabulary.with_attributes(*flat_attributes(_one_row_a_user(rows))[1:])
    if base:
        vocabulary, content = base.vocabulary.grow(vocabulary), base.content
    else:
        content = ContentEncoder.fit(catalog) if requested.use_content else ContentEncoder.empty()
    preferences = preferences_by_user(rows, feedback)
    vocabulary = vocabulary.skipping(
        vocabulary.encode_events(flatten(rows["event_types"])),
        vocabulary.encode_values(flat_values(rows)),
        preferences,
    )
    sequences = encode(rows, vocabulary, preferences)
    if not len(sequences.target_items):
        raise StepError(_why_no_target(training_set, split, rows, vocabulary))
    return TrainingData(catalog, rows, vocabulary, content, sequences)


def _one_row_a_user(rows: pa.Table) -> pa.Table:
    users = rows["user_id"].to_numpy()
    return rows.take(np.unique(users, return_index=True)[1])


def _why_no_target(training_set: Path, split: str, rows: pa.Table, vocabulary: Vocabulary) -> str:
    count = int(np.count_nonzero(vocabulary.encode_items(flatten(rows["item_ids"])) >= 0))
    if not count:
        return f"{training_set} has no interaction in split {split!r}: fetch the training set again"
    return (
        f"none of the {count:,} interactions in split {split!r} is positive: name the event types that are "
        "with --positive, say where liking begins with --min-value, or use --all-positive"
    )
