"""The held-out data: the validation and test queries, with the training set that they come from."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.errors import StepError
from components.evaluate_release.data import user_profiles
from components.evaluate_release.data.held_out_targets import check_targets
from components.evaluate_release.data.queries import Queries, read_queries, read_training_set
from components.evaluate_release.data.searches import read_searches
from feature_repo.feedback import FeedbackPolicy
from serving.ranking.cold_start import Profile
from serving.release.catalog import Catalog

# Seed of all samples: queries, bootstrap resamples, users in the report.
SEED: Final = 20261124


@dataclass(frozen=True)
class HeldOut:
    """The training set, and its validation and test queries with items as indexes of a catalog."""

    training_set: pa.Table
    index: pa.Array  # [items] string
    validation: Queries
    test: Queries
    feedback: FeedbackPolicy
    keep_seen: bool
    users: pa.Table | None = None  # user_id and attributes
    interactions: Path | None = None  # the valid interactions, for searches

    @classmethod
    def read(
        cls,
        file: Path,
        catalog: Catalog,
        feedback: FeedbackPolicy,
        keep_seen: bool = False,
        users: Path | None = None,
        interactions: Path | None = None,
    ) -> "HeldOut":
        """Read the queries.

        Args:
            users: user_id and attributes, or None.
            interactions: those that the training set was built from, whose searches the queries get, or None.

        Raises:
            StepError: a split has no query, a target is not positive or not in the catalog, or `users` has no
                user_id.
        """
        training_set, index = read_training_set(file), pa.array(catalog.item_ids, pa.string())
        validation, test = (
            _with_searches(read_queries(training_set, split, index, SEED, feedback, keep_seen), interactions)
            for split in ("validation", "test")
        )
        for part in (validation, test):
            if (part.targets < 0).any():
                user_id = part.user_ids[int(np.argmin(part.targets))]
                raise StepError(
                    f"{file}: the target of user {user_id!r} is not among the items: use the items "
                    "and the training set of the same run"
                )
        check_targets(training_set, feedback)
        table = user_profiles.read_users(users) if users else None
        return cls(training_set, index, validation, test, feedback, keep_seen, table, interactions)

    def test_queries_of(self, item_ids: list[str]) -> Queries:
        """Return the same test queries with items as indexes of another catalog."""
        index = pa.array(item_ids, pa.string())
        queries = read_queries(self.training_set, "test", index, SEED, self.feedback, self.keep_seen)
        return _with_searches(queries, self.interactions)

    @property
    def learned_until(self) -> int:
        """Timestamp (µs) of the newest interaction in the snapshot."""
        newest = pc.max(pc.list_flatten(self.training_set["timestamps"].combine_chunks())).as_py()
        return max(int(newest or 0), int(self.test.cutoffs.max()))

    @property
    def trained_until(self) -> int:
        """Newest cutoff (µs) of the training split: the measured model has seen no later interaction."""
        rows = self.training_set.filter(pc.equal(self.training_set["split"], "train"))
        return int(pc.max(rows["cutoff"].cast(pa.int64())).as_py() or 0)

    @cached_property
    def profiles(self) -> dict[str, Profile]:
        """User -> attributes that are not null, for users with a held-out query."""
        user_ids = [*self.validation.user_ids, *self.test.user_ids]
        return {} if self.users is None else user_profiles.profiles(self.users, user_ids)

    @property
    def trained_users(self) -> set[str]:
        """Ids of the users in the training split."""
        rows = self.training_set.filter(pc.equal(self.training_set["split"], "train"))
        return set(rows["user_id"].to_pylist())


def _with_searches(queries: Queries, interactions: Path | None) -> Queries:
    if interactions is None:
        return queries
    return replace(queries, searches=read_searches(interactions, queries.user_ids, queries.cutoffs))
