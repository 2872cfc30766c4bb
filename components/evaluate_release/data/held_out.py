"""The held-out data: the validation and test queries, with the training set that they come from."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from components.errors import StepError
from components.evaluate_release.data import user_profiles
from components.evaluate_release.data.held_out_targets import check_targets
from components.evaluate_release.data.queries import Queries, read_queries
from components.evaluate_release.data.searches import read_searches
from components.evaluate_release.data.training_set_rows import TrainingSetRows
from feature_repo.feedback import FeedbackPolicy
from serving.ranking.cold_start import Profile
from serving.release.catalog import Catalog

# Seed of all samples: queries, bootstrap resamples, users in the report.
SEED: Final = 20261124


@dataclass(frozen=True)
class HeldOut:
    """The validation and test queries with items as indexes of a catalog, and what they come from."""

    rows: TrainingSetRows
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
        index = pa.array(catalog.item_ids, pa.string())
        rows = TrainingSetRows.read(file, index, SEED)
        validation, test = (
            _with_searches(read_queries(rows.held_out, split, index, SEED, feedback, keep_seen), interactions)
            for split in ("validation", "test")
        )
        for part in (validation, test):
            if (part.targets < 0).any():
                user_id = part.user_ids[int(np.argmin(part.targets))]
                raise StepError(
                    f"{file}: the target of user {user_id!r} is not among the items: use the items "
                    "and the training set of the same run"
                )
        check_targets(rows.held_out, feedback)
        table = user_profiles.read_users(users) if users else None
        return cls(rows, index, validation, test, feedback, keep_seen, table, interactions)

    def test_queries_of(self, item_ids: list[str]) -> Queries:
        """Return the same test queries with items as indexes of another catalog."""
        index = pa.array(item_ids, pa.string())
        queries = read_queries(self.rows.held_out, "test", index, SEED, self.feedback, self.keep_seen)
        return _with_searches(queries, self.interactions)

    @property
    def learned_until(self) -> int:
        """Timestamp (µs) of the newest interaction in the snapshot."""
        return max(self.rows.snapshot.last, int(self.test.cutoffs.max()))

    @cached_property
    def profiles(self) -> dict[str, Profile]:
        """User -> attributes that are not null, for users with a held-out query."""
        user_ids = [*self.validation.user_ids, *self.test.user_ids]
        return {} if self.users is None else user_profiles.profiles(self.users, user_ids)


def _with_searches(queries: Queries, interactions: Path | None) -> Queries:
    if interactions is None:
        return queries
    return replace(queries, searches=read_searches(interactions, queries.user_ids, queries.cutoffs))
