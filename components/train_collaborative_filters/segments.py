"""What is trending in each segment of the users: for somebody of whom an attribute is known and nothing else.

The rules, by name:

- *text*: each value of a text attribute with at most MAX_VALUES values is a segment (gender, occupation); an
  attribute with more (a zip code) tells people apart rather than together.
- *number*: a number is cut into BANDS of about as many users each (age).
- *crowd*: a segment of fewer than MIN_USERS users is left out: it says little, and might say who.
- *prior*: how far the segments of an attribute are trusted is what tells best, of one half of the users, what
  the other half of their segment chose.
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
from components.train_collaborative_filters.popularity import fading
from components.train_collaborative_filters.strongest import strongest
from serving.release.segments import Segment, Segments

MAX_VALUES: Final = 50
BANDS: Final = 5
MIN_USERS: Final = 20
KEPT_ITEMS: Final = 500
PRIORS: Final = (30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0, 30_000.0)


@dataclass(frozen=True, eq=False)
class _Crowd:
    segment: Segment
    users: NDArray[np.bool_]  # [users of the interactions]


def segments(interactions: Interactions, users: pa.Table, half_life: int) -> Segments | None:
    """The trend of each segment; None where no attribute makes one. `users`: user_id and attributes.

    Raises:
        StepError: `users` has no user_id.
    """
    if "user_id" not in users.column_names:
        raise StepError(f"users have the columns {users.column_names}, expected user_id among them")
    places = pc.index_in(pa.array(interactions.user_ids, pa.string()), users["user_id"].combine_chunks())
    crowds = [
        crowd
        for name in users.column_names
        if name != "user_id"
        for crowd in _crowds(name, users[name].combine_chunks().take(places))
        if np.count_nonzero(crowd.users) >= MIN_USERS
    ]
    if not crowds:
        return None
    weights = fading(interactions, half_life).astype(np.float32)
    shape = (interactions.user_count, interactions.item_count)
    chosen = csr_array((weights, (interactions.users, interactions.items)), shape=shape)
    attributes = dict.fromkeys(crowd.segment.attribute for crowd in crowds)
    priors = {
        name: _prior([crowd for crowd in crowds if crowd.segment.attribute == name], chosen)
        for name in attributes
    }
    trend = _trend(crowds, chosen)
    named = [
        replace(crowd.segment, interactions=float(mass), prior=priors[crowd.segment.attribute])
        for crowd, mass in zip(crowds, trend.sum(axis=1), strict=True)
    ]
    return Segments(named, strongest(trend, KEPT_ITEMS))


def _trend(crowds: Sequence[_Crowd], chosen: csr_array) -> csr_array:
    """[crowds, items] what their users chose."""
    members = csr_array(np.stack([crowd.users for crowd in crowds]).astype(np.float32))
    return csr_array(members @ chosen)


def _prior(crowds: Sequence[_Crowd], chosen: csr_array) -> float:
    """Of PRIORS the likeliest; each half of the users is told from the other."""
    likelihood = np.zeros(len(PRIORS))
    for half in (0, 1):
        taught = np.arange(chosen.shape[0]) % 2 == half
        everybody = np.asarray(chosen[taught].sum(axis=0)) + np.float32(0.5)
        everybody = everybody / everybody.sum()
        known = _trend([replace(crowd, users=crowd.users & taught) for crowd in crowds], chosen)
        told = _trend([replace(crowd, users=crowd.users & ~taught) for crowd in crowds], chosen)
        for row in range(len(crowds)):
            own, others = known[[row]].toarray()[0], told[[row]]
            items, mass = others.indices, float(own.sum())
            for place, prior in enumerate(PRIORS):
                shares = (own[items] + prior * everybody[items]) / (mass + prior)
                likelihood[place] += float(others.data @ np.log(shares))
    return PRIORS[int(np.argmax(likelihood))]


def _crowds(attribute: str, values: pa.Array) -> Iterator[_Crowd]:
    if pa.types.is_string(values.type):
        distinct = sorted(values.drop_null().unique().to_pylist())
        for value in distinct if len(distinct) <= MAX_VALUES else ():
            yield _Crowd(Segment(attribute, 0.0, 0.0, value=value), _mask(pc.equal(values, value)))
    elif pa.types.is_floating(values.type) or pa.types.is_integer(values.type):
        numbers = values.cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False)
        known = numbers[~np.isnan(numbers)]
        cuts = np.unique(np.quantile(known, np.arange(1, BANDS) / BANDS)) if len(known) else ()
        bounds = [None, *(float(cut) for cut in cuts), None]
        for low, high in pairwise(bounds):
            above = numbers >= (-np.inf if low is None else low)
            yield _Crowd(
                Segment(attribute, 0.0, 0.0, low=low, high=high),
                above & (numbers < (np.inf if high is None else high)),
            )


def _mask(matches: pa.BooleanArray) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = pc.fill_null(matches, False).to_numpy(zero_copy_only=False)
    return mask
