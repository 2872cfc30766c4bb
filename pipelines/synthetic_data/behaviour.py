"""How synthetic users behave: sessions, two favourite categories that may change, repeats and dislikes."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.synthetic_data.catalog import Catalog

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

SESSION_LENGTH: Final = 5  # interactions, on average
PAUSE_S: Final = 40.0  # median of the seconds between two interactions of a session
FAVOURITE_SHARE: Final = 0.85  # interactions with the category of the session
FIRST_SHARE: Final = 0.7  # sessions about the first favourite; the others are about the second
CHANGING_SHARE: Final = 0.5  # users whose first favourite changes once
REPEAT_SHARE: Final = 0.15  # interactions with an item that the user chose before
SEGMENTS: Final = 4  # groups of users who like similar categories

USERS: Final = pa.schema([(name, pa.string()) for name in ("user_id", "country", "age_group")])
EVENTS: Final = ("view", "cart", "purchase", "like", "dislike")
_FIRST_SHARES: Final = (0.80, 0.10, 0.05, 0.04, 0.01)
_REPEATED_SHARES: Final = (0.55, 0.20, 0.20, 0.04, 0.01)
_FOREIGN_SHARES: Final = (0.80, 0.04, 0.02, 0.02, 0.12)  # outside the category of the session


@dataclass(frozen=True)
class Behaviour:
    """Parallel arrays [interactions], by user and time; times are shares of the span."""

    owners: Integers  # positions of the users in the block
    times: Floats
    items: Integers  # positions in the catalog
    events: Integers  # positions in EVENTS


def simulate(
    generator: np.random.Generator, catalog: Catalog, users: int, interactions: int, pause: float
) -> Behaviour:
    """Draw the interactions of `users` users, each of whom has at least one.

    Args:
        pause: PAUSE_S as a share of the span.
    """
    activity = generator.lognormal(0, 1, users)
    counts = 1 + generator.multinomial(interactions - users, activity / activity.sum())
    owners = np.repeat(np.arange(users), counts)
    firsts = np.repeat(np.cumsum(counts) - counts, counts)  # [interactions] the first one of the user
    times, sessions = _sessions(generator, owners, firsts, users, pause)
    favourites = _favourites(generator, catalog, owners, times, sessions, users)
    is_foreign = generator.random(interactions) >= FAVOURITE_SHARE
    anything = generator.choice(catalog.categories, interactions, p=catalog.category_shares)
    items = catalog.choose(generator, np.where(is_foreign, anything, favourites), times)
    parents = _parents(generator, firsts)
    is_repeat = parents != np.arange(interactions)
    return Behaviour(owners, times, items[parents], _events(generator, is_foreign, is_repeat))


def users_table(generator: np.random.Generator, user_ids: pa.Array) -> pa.Table:
    """Return users with a country and an age group."""
    values = {"country": ["DE", "FR", "GB", "US"], "age_group": ["18-24", "25-34", "35-49", "50+"]}
    drawn = {
        name: pa.array(labels).take(pa.array(generator.integers(0, len(labels), len(user_ids))))
        for name, labels in values.items()
    }
    return pa.table({"user_id": user_ids, **drawn}, schema=USERS)


def _sessions(
    generator: np.random.Generator, owners: Integers, firsts: Integers, users: int, pause: float
) -> tuple[Floats, Integers]:
    """Return [interactions] ascending times of each user, and [interactions] the number of the session."""
    count = len(owners)
    begins = generator.random(count) < 1 / SESSION_LENGTH
    begins[firsts] = True
    sessions = np.cumsum(begins) - 1
    session_owners = owners[begins]
    joined = generator.random(users) ** 2 * 0.9  # more users have been there from early on
    starts = joined[session_owners] + generator.random(len(session_owners)) * (1 - joined[session_owners])
    starts = starts[np.lexsort((starts, session_owners))]
    pauses = np.where(begins, 0.0, pause * generator.lognormal(0, 1, count))
    elapsed = np.cumsum(pauses)
    elapsed -= np.maximum.accumulate(np.where(begins, elapsed, 0.0))
    times = starts[sessions] + elapsed
    # A long session may reach into the next one.
    return np.minimum(times[np.lexsort((times, owners))], 1.0), sessions


def _favourites(
    generator: np.random.Generator,
    catalog: Catalog,
    owners: Integers,
    times: Floats,
    sessions: Integers,
    users: int,
) -> Integers:
    """Return [interactions] the category that the session is about."""
    segments = generator.integers(0, SEGMENTS, users)
    shares = catalog.category_shares
    drawn = generator.choice(catalog.categories, (3, users), p=shares)
    # Each segment prefers other categories in the same proportions.
    first, second, later = (drawn + segments * (catalog.categories // SEGMENTS)) % catalog.categories
    changes = np.where(generator.random(users) < CHANGING_SHARE, generator.random(users), 2.0)
    now_first = np.where(times < changes[owners], first[owners], later[owners])
    is_first = (generator.random(sessions[-1] + 1) < FIRST_SHARE)[sessions]
    favourites: Integers = np.where(is_first, now_first, second[owners])
    return favourites


def _parents(generator: np.random.Generator, firsts: Integers) -> Integers:
    """Return [interactions] whose item each one has: its own, or that of an earlier one of the user."""
    own = np.arange(len(firsts))
    earlier = firsts + (generator.random(len(firsts)) * (own - firsts)).astype(np.int64)
    parents = np.where((generator.random(len(firsts)) < REPEAT_SHARE) & (own > firsts), earlier, own)
    while not np.array_equal(parents, grandparents := parents[parents]):
        parents = grandparents
    return parents


def _events(
    generator: np.random.Generator, is_foreign: NDArray[np.bool_], is_repeat: NDArray[np.bool_]
) -> Integers:
    bounds = np.cumsum([_FIRST_SHARES, _REPEATED_SHARES, _FOREIGN_SHARES], axis=1)[:, :-1]
    kind = np.where(is_repeat, 1, np.where(is_foreign, 2, 0))
    events: Integers = (generator.random(len(kind))[:, np.newaxis] >= bounds[kind]).sum(axis=1)
    return events
