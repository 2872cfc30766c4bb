"""Trends of user segments, for users with attributes and no history.

- *text*: each value of a text attribute is a segment (gender, occupation), unless there are more than
  MAX_VALUES values (a zip code), which identify users rather than group them.
- *number*: a numeric attribute is split into QUANTILES segments (age).
- *minimum size*: segments of fewer than MIN_USERS users are left out, as unreliable and possibly identifying.
- *prior*: the weight of the overall trend against the segment's; it is chosen per attribute so that one half
  of the users predicts the other half best.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_array

from components.errors import StepError
from components.train_collaborative_filters.interactions import Interactions
from components.train_collaborative_filters.popularity import recent_choices
from components.train_collaborative_filters.top_k_per_row import top_k_per_row
from serving.release.user_segments import Segment, Segments

MAX_VALUES: Final = 50
QUANTILES: Final = 5
MIN_USERS: Final = 20
MAX_ITEMS: Final = 500
PRIORS: Final = (30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0, 30_000.0)


@dataclass(frozen=True, eq=False)
class _Members:
    segment: Segment
    users: NDArray[np.bool_]  # [users of the interactions]


def segments(interactions: Interactions, users: pa.Table, half_life: int) -> Segments | None:
    """Return the trend of each segment, None if there are no segments. `users`: user_id and attributes.

    Raises:
        StepError: `users` has no user_id.
    """
    if "user_id" not in users.column_names:
        raise StepError(f"users have the columns {users.column_names}, expected user_id among them")
    rows = pc.index_in(pa.array(interactions.user_ids, pa.string()), users["user_id"].combine_chunks())
    segment_members = [
        members
        for name in users.column_names
        if name != "user_id"
        for members in _members_by_value(name, users[name].combine_chunks().take(rows))
        if np.count_nonzero(members.users) >= MIN_USERS
    ]
    if not segment_members:
        return None
    chosen = recent_choices(interactions, half_life)
    attributes = dict.fromkeys(members.segment.attribute for members in segment_members)
    priors = {
        name: _prior([members for members in segment_members if members.segment.attribute == name], chosen)
        for name in attributes
    }
    trend = _trend(segment_members, chosen)
    named = [
        replace(members.segment, interactions=float(mass), prior=priors[members.segment.attribute])
        for members, mass in zip(segment_members, trend.sum(axis=1), strict=True)
    ]
    return Segments(named, top_k_per_row(trend, MAX_ITEMS))


def _trend(segment_members: Sequence[_Members], chosen: csr_array) -> csr_array:
    """Return [segments, items] the weighted choices of the segments' users."""
    matrix = csr_array(np.stack([members.users for members in segment_members]).astype(np.float32))
    return csr_array(matrix @ chosen)


def _prior(segment_members: Sequence[_Members], chosen: csr_array) -> float:
    """Return the prior of PRIORS with the largest likelihood, cross-validated on halves of the users."""
    likelihood = np.zeros(len(PRIORS))
    for half in (0, 1):
        train = np.arange(chosen.shape[0]) % 2 == half
        overall = np.asarray(chosen[train].sum(axis=0)) + np.float32(0.5)
        overall = overall / overall.sum()
        train_trend = _trend(
            [replace(members, users=members.users & train) for members in segment_members], chosen
        )
        test_trend = _trend(
            [replace(members, users=members.users & ~train) for members in segment_members], chosen
        )
        for row in range(len(segment_members)):
            own, test = train_trend[[row]].toarray()[0], test_trend[[row]]
            items, mass = test.indices, float(own.sum())
            for index, prior in enumerate(PRIORS):
                shares = (own[items] + prior * overall[items]) / (mass + prior)
                likelihood[index] += float(test.data @ np.log(shares))
    return PRIORS[int(np.argmax(likelihood))]


def _members_by_value(attribute: str, values: pa.Array) -> Iterator[_Members]:
    if pa.types.is_string(values.type):
        distinct = sorted(values.drop_null().unique().to_pylist())
        for value in distinct if len(distinct) <= MAX_VALUES else ():
            yield _Members(Segment(attribute, 0.0, 0.0, value=value), _mask(pc.equal(values, value)))
    elif pa.types.is_floating(values.type) or pa.types.is_integer(values.type):
        numbers = values.cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False)
        present = numbers[~np.isnan(numbers)]
        edges = np.unique(np.quantile(present, np.arange(1, QUANTILES) / QUANTILES)) if len(present) else ()
        bounds = [None, *(float(edge) for edge in edges), None]
        for low, high in pairwise(bounds):
            above = numbers >= (-np.inf if low is None else low)
            yield _Members(
                Segment(attribute, 0.0, 0.0, low=low, high=high),
                above & (numbers < (np.inf if high is None else high)),
            )


def _mask(matches: pa.BooleanArray) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = pc.fill_null(matches, False).to_numpy(zero_copy_only=False)
    return mask
