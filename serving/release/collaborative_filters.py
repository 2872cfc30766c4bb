"""The fitted collaborative filters of a release, in memory and on disk."""

import shutil
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from feature_repo.contract import FEEDBACK
from feature_repo.feedback import FeedbackPolicy
from serving.release.arrays import FloatArray
from serving.release.sparse import load_csr, save_csr
from serving.release.user_segments import Segments
from serving.release.user_sequences import UserSequences

# Sparse matrices: [items, items], except user_items [users, items].
MATRICES = ("transitions", "item_cosine", "user_items")


@dataclass(frozen=True)
class CollaborativeFilters:
    """The fitted collaborative filters; item rows and columns are indexes of the catalog."""

    transitions: csr_array  # [items, items] P(column comes soon after row)
    item_cosine: csr_array  # [items, items] entries of the nearest items only
    user_items: csr_array  # [users, items] the ratings, or weights, of the items that each user chose
    popularity: FloatArray  # [items] users; one who chose it n times counts 1 + ln n
    trend: FloatArray  # [items] users who chose it, each by the largest weight * 0.5 ** (age / half-life)
    ease: csr_array | None = None  # [items, items] the largest weights; None for a large catalog
    als: FloatArray | None = None  # [items, factors] for ranking.fold_in; None in older releases
    user_sequences: UserSequences | None = None  # None in older releases
    segments: Segments | None = None  # None where users have no attributes
    feedback: FeedbackPolicy = field(default_factory=FeedbackPolicy)  # under which the filters were fitted

    @cached_property
    def item_users(self) -> csr_array:
        """[items, users], the transpose of user_items with rows of unit length."""
        lengths = np.sqrt(self.user_items.power(2).sum(axis=1))
        users = np.repeat(np.maximum(lengths, np.finfo(np.float32).tiny), np.diff(self.user_items.indptr))
        rows = (self.user_items.data / users, self.user_items.indices, self.user_items.indptr)
        return csr_array(rows, shape=self.user_items.shape).T.tocsr()

    @property
    def item_counts(self) -> dict[str, int]:
        """Name of a part -> its number of items."""
        counts = {name: getattr(self, name).shape[1] for name in MATRICES}
        counts |= {"popularity": len(self.popularity), "trend": len(self.trend)}
        if self.ease is not None:
            counts["ease"] = self.ease.shape[1]
        if self.segments is not None:
            counts["segments"] = self.segments.trend.shape[1]
        if self.als is not None:
            counts["als"] = len(self.als)
        if self.user_sequences is not None:
            counts["user_sequences"] = self.user_sequences.positions.shape[0]
        return counts

    @classmethod
    def load(cls, directory: Path) -> "CollaborativeFilters":
        """Open filters that `save` wrote; the sparse matrices are memory-mapped."""
        matrices, als = {name: load_csr(directory / name) for name in MATRICES}, directory / "als.npy"
        optional = {"ease": load_csr, "user_sequences": UserSequences.load, "segments": Segments.load}
        parts = {name: load for name, load in optional.items() if (directory / name).is_dir()}
        return cls(
            **matrices,
            **{name: load(directory / name) for name, load in parts.items()},
            als=np.load(als, allow_pickle=False) if als.exists() else None,
            popularity=np.load(directory / "popularity.npy", allow_pickle=False),
            trend=np.load(directory / "trend.npy", allow_pickle=False),
            feedback=FeedbackPolicy.read(directory / FEEDBACK),
        )

    def save(self, directory: Path) -> None:
        """Write all parts into `directory`, and remove optional parts of an earlier fit."""
        directory.mkdir(parents=True, exist_ok=True)
        for name in MATRICES:
            save_csr(getattr(self, name), directory / name)
        for name in ("ease", "user_sequences", "segments"):
            shutil.rmtree(directory / name, ignore_errors=True)
        (directory / "als.npy").unlink(missing_ok=True)
        if self.ease is not None:
            save_csr(self.ease, directory / "ease")
        if self.als is not None:
            np.save(directory / "als.npy", self.als)
        if self.user_sequences is not None:
            self.user_sequences.save(directory / "user_sequences")
        if self.segments is not None:
            self.segments.save(directory / "segments")
        np.save(directory / "popularity.npy", self.popularity)
        np.save(directory / "trend.npy", self.trend)
        self.feedback.write(directory / FEEDBACK)
