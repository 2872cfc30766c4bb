"""The sign and strength of feedback: one implementation for training and serving."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from feature_repo.event_types import KNOWN, OPINIONS, RATE, Kind

FloatArray = NDArray[np.float32]

# A user's mean rating counts as much as the mean of all users once the user has this many ratings.
MEAN_PRIOR: Final = 5.0

# A negative rating is this many standard deviations of all ratings below the user's mean, or more.
DISLIKE_DEVIATIONS: Final = 0.75

# A negative preference of at least this strength is an opinion: it holds until the user likes the item.
OPINION: Final = 0.5

# The vote of a neutral rating, such as 3 of 5 stars, next to 1 for a positive one.
NEUTRAL_VOTE: Final = 0.5

# Values are a rating scale if they span at most this much; larger ones are amounts, such as prices or counts.
MAX_SCALE_SPAN: Final = 100.0
MAX_SCALE_VALUES: Final = 201
# Rarer values, such as typing errors, do not define the ends of the scale.
MIN_VALUE_SHARE: Final = 0.001

# The order of the interactions of one step, whose real order is unknown.
_STEP_ORDER: Final = (Kind.EXPOSURE, Kind.POSITIVE, Kind.NEUTRAL, Kind.CANCELLATION, Kind.NEGATIVE)

_UNKNOWN: Final = (Kind.NEUTRAL, 1.0)


@dataclass(frozen=True)
class RatingScale:
    """The distribution of the ratings of a data set."""

    low: float
    high: float
    mean: float
    deviation: float
    like_from: float | None = (
        None  # ratings from here on are positive, for every user; None: learned per user
    )

    @classmethod
    def learn(
        cls, values: NDArray[np.float64], counts: NDArray[np.int64], like_from: float | None = None
    ) -> "RatingScale | None":
        """Return the scale of ratings; None if there are none, or if they are amounts and no scale.

        Args:
            values: [n] the distinct ratings, in ascending order.
            counts: [n] how often each one was given.
            like_from: ratings from here on are positive; None: learned per user.
        """
        if not len(values):
            return None
        usual = values[counts >= MIN_VALUE_SHARE * counts.sum()]
        usual = usual if len(usual) else values
        low, high = float(usual[0]), float(usual[-1])
        is_scale = high - low <= MAX_SCALE_SPAN and (len(usual) <= MAX_SCALE_VALUES or low < 0)
        if not is_scale and like_from is None:
            return None
        mean = float(np.average(values, weights=counts))
        deviation = float(np.sqrt(np.average((values - mean) ** 2, weights=counts)))
        return cls(low, high, mean, deviation, like_from)

    @property
    def like_range(self) -> tuple[float, float]:
        """The lowest and the highest rating from which liking may begin for a user."""
        if self.like_from is not None:
            return self.like_from, self.like_from
        span = self.high - self.low
        return self.low + span / 8, self.high - span / 4

    def bounds(self, sums: FloatArray, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return for users with these sums and counts of ratings: positive from, and negative up to.

        Positive are ratings from the user's mean on, which is shrunk to the mean of all users. Negative are
        ratings at least DISLIKE_DEVIATIONS standard deviations below, in the lower half of the scale. The
        upper quarter of the scale is always positive, its lowest value always negative.
        """
        means = (sums + MEAN_PRIOR * self.mean) / (counts + MEAN_PRIOR)
        like_from = np.clip(means, *self.like_range).astype(np.float32)
        margin = DISLIKE_DEVIATIONS * self.deviation
        below_middle = np.nextafter(np.float32((self.low + self.high) / 2), np.float32(-np.inf))
        dislike_to = np.maximum(
            np.minimum(like_from - np.float32(margin), below_middle), np.float32(self.low)
        )
        return like_from, np.minimum(dislike_to, np.nextafter(like_from, np.float32(-np.inf)))


@dataclass(frozen=True)
class FeedbackPolicy:
    """The kind and weight of each event type, and the rating scale; stored in each release.

    An event type that is in neither `kinds` nor event_types.KNOWN is neutral.
    """

    kinds: Mapping[str, Kind] = field(default_factory=dict)  # these come before the known event types
    weights: Mapping[str, float] = field(default_factory=dict)
    ratings: RatingScale | None = None
    all_positive: bool = False  # everything but exposures is positive with weight 1, negative ratings too

    def kind(self, event_type: str) -> Kind:
        """Return the kind of an event type, of a rating's too: POSITIVE, although it depends on the value."""
        return self._kind_and_weight(event_type)[0]

    def weight(self, event_type: str) -> float:
        """Return the weight of an event type: of its kind's sign, whatever the value of the interaction."""
        return self._kind_and_weight(event_type)[1]

    def is_exposure(self, event_type: str) -> bool:
        return self.kind(event_type) is Kind.EXPOSURE

    def preferences(
        self,
        item_ids: Sequence[Any] | NDArray[Any],
        event_types: Sequence[str],
        values: Sequence[float] | NDArray[Any],
        timestamps: Sequence[int] | NDArray[np.int64],
        offsets: NDArray[np.int64] | None = None,
    ) -> FloatArray:
        """Return the preference [n] float32 of each interaction: positive, negative, or 0 for neutral ones.

        - A positive interaction counts with the weight of its event type.
        - A rating is positive, neutral or negative by its value (RatingScale.bounds).
        - A cancellation, or a positive interaction with a negative amount, is neutral. It makes the last
          positive interaction with the item neutral too, unless it takes back only a part of the amount.
        - The last opinion about an item counts: a dislike makes all earlier positive interactions with the
          item neutral; a later like makes the dislike neutral; a later rating replaces an earlier one.
        - Interactions of a user with one timestamp have no order: there positive ones come first, then
          cancellations, then negative ones, so that a return cancels a purchase of the same date.

        Args:
            item_ids: [n] ids or indexes, each user's oldest first.
            values: [n] ratings or amounts, NaN for none.
            timestamps: [n] of any unit; equal ones are one step.
            offsets: [users + 1] the first interaction of each user; None for one user.
        """
        return self._judge(item_ids, event_types, values, timestamps, _bounds(item_ids, offsets))[0]

    def preferences_and_votes(
        self,
        item_ids: Sequence[Any] | NDArray[Any],
        event_types: Sequence[str],
        values: Sequence[float] | NDArray[Any],
        timestamps: Sequence[int] | NDArray[np.int64],
        offsets: NDArray[np.int64] | None = None,
    ) -> tuple[FloatArray, FloatArray]:
        """Return the preferences, and how much each interaction [n] votes for its item: at least 0.

        A positive interaction votes with its preference. A neutral rating votes with NEUTRAL_VOTE, because
        the user chose the item, unless the user dislikes the item now. All others cast no vote. Arguments as
        for `preferences`.
        """
        offsets = _bounds(item_ids, offsets)
        preferences, is_neutral = self._judge(item_ids, event_types, values, timestamps, offsets)
        votes = np.maximum(preferences, 0)
        is_neutral &= preferences == 0
        is_disliked = preferences <= -OPINION
        if is_neutral.any() and is_disliked.any():
            keys = _keys(item_ids, offsets)
            if _repeat(keys):
                is_neutral &= ~np.isin(keys, keys[is_disliked])
        votes[is_neutral] = NEUTRAL_VOTE
        return preferences, votes

    @classmethod
    def read(cls, file: Path) -> "FeedbackPolicy":
        """Read a policy that `write` wrote.

        Raises:
            ValueError: the file is missing or not a policy.
        """
        try:
            return cls.from_json(file.read_text())
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{file}: expected the feedback policy that ingest_interactions writes "
                f"({type(error).__name__}: {error}); run that step again"
            ) from error

    def write(self, file: Path) -> None:
        """Write the policy as JSON."""
        file.write_text(self.to_json())

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "FeedbackPolicy":
        stored = json.loads(text)
        return cls(
            kinds={name: Kind(kind) for name, kind in stored["kinds"].items()},
            weights=stored["weights"],
            ratings=RatingScale(**stored["ratings"]) if stored["ratings"] else None,
            all_positive=stored["all_positive"],
        )

    def _kind_and_weight(self, event_type: str) -> tuple[Kind, float]:
        kind, weight = KNOWN.get(event_type, _UNKNOWN)
        kind = self.kinds.get(event_type, kind)
        if self.all_positive and kind is not Kind.EXPOSURE:
            return Kind.POSITIVE, 1.0
        return kind, self.weights.get(event_type, weight)

    def _judge(
        self,
        item_ids: Sequence[Any] | NDArray[Any],
        event_types: Sequence[str],
        values: Sequence[float] | NDArray[Any],
        timestamps: Sequence[int] | NDArray[np.int64],
        offsets: NDArray[np.int64],
    ) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Return the preferences [n], and whether each interaction is a rating with a neutral value [n]."""
        order = self._order_of_steps(event_types, np.asarray(timestamps, np.int64), offsets)
        if order is None:
            return self._judge_in_order(item_ids, event_types, values, offsets)
        codes = _codes(item_ids)[order]
        types = [event_types[position] for position in order.tolist()]
        in_order = self._judge_in_order(codes, types, np.asarray(values, np.float32)[order], offsets)
        preferences, is_neutral = np.empty_like(in_order[0]), np.empty_like(in_order[1])
        preferences[order], is_neutral[order] = in_order
        return preferences, is_neutral

    def _order_of_steps(
        self, event_types: Sequence[str], timestamps: NDArray[np.int64], offsets: NDArray[np.int64]
    ) -> NDArray[np.intp] | None:
        """Return the positions [n] with the interactions of each step by kind; None if that changes nothing."""
        ranks = {event_type: _STEP_ORDER.index(self.kind(event_type)) for event_type in set(event_types)}
        if len(set(ranks.values())) < 2 or not (timestamps[1:] == timestamps[:-1]).any():
            return None
        users = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        rank = np.fromiter(map(ranks.__getitem__, event_types), np.int8, len(timestamps))
        return np.lexsort((rank, timestamps, users))

    def _judge_in_order(
        self,
        item_ids: Sequence[Any] | NDArray[Any],
        event_types: Sequence[str],
        values: Sequence[float] | NDArray[Any],
        offsets: NDArray[np.int64],
    ) -> tuple[FloatArray, NDArray[np.bool_]]:
        count = len(item_ids)
        pairs = {event_type: self._kind_and_weight(event_type) for event_type in set(event_types)}
        numbers = np.asarray(values, np.float32)
        signed = {
            event_type: weight if kind is Kind.POSITIVE else -weight if kind is Kind.NEGATIVE else 0.0
            for event_type, (kind, weight) in pairs.items()
        }
        result = np.fromiter(map(signed.__getitem__, event_types), np.float32, count)
        is_neutral, is_rating = np.zeros(count, bool), np.zeros(count, bool)
        if self.all_positive:
            return result, is_neutral

        def has(names: Set[str]) -> NDArray[np.bool_]:
            present = names & pairs.keys()
            if len(present) in (0, len(pairs)):
                return np.full(count, bool(present))
            return np.fromiter(map(present.__contains__, event_types), bool, count)

        if self.ratings is not None and RATE in pairs and pairs[RATE][0] is Kind.POSITIVE:
            is_rating = has({RATE}) & ~np.isnan(numbers)
            signs = self._signs(numbers, is_rating, offsets)
            result[is_rating] *= signs
            is_neutral[is_rating] = signs == 0
        cancels = has({event_type for event_type, (kind, _) in pairs.items() if kind is Kind.CANCELLATION})
        refunds = (result > 0) & ~is_rating & (numbers < 0)
        result[refunds] = 0
        cancels |= refunds
        if cancels.any() or is_rating.any() or (result <= -OPINION).any():
            keys = _keys(item_ids, offsets)
            _cancel(result, cancels, keys, numbers)
            _keep_last_opinions(result, has(OPINIONS), is_rating, keys)
        return result, is_neutral

    def _signs(
        self, values: FloatArray, is_rating: NDArray[np.bool_], offsets: NDArray[np.int64]
    ) -> FloatArray:
        """Return 1, 0 or a negative number for each rating, stronger the lower its value."""
        assert self.ratings is not None
        ratings, one_user = values[is_rating], len(offsets) == 2
        # One user, as in serving, needs no bound per rating: that takes half of the time.
        if one_user:
            sums, counts = ratings.sum(keepdims=True), np.array([len(ratings)], np.float32)
            like_from, dislike_to = self.ratings.bounds(sums, counts)
        else:
            users = np.searchsorted(offsets, np.flatnonzero(is_rating), side="right") - 1
            sums = np.bincount(users, ratings, len(offsets) - 1).astype(np.float32)
            counts = np.bincount(users, minlength=len(offsets) - 1).astype(np.float32)
            like_from, dislike_to = (bound[users] for bound in self.ratings.bounds(sums, counts))
        depth = (like_from - ratings) / np.maximum(like_from - np.float32(self.ratings.low), np.float32(1e-6))
        negative = -np.clip(depth, OPINION, 1)
        signs: FloatArray = np.where(ratings <= dislike_to, negative, ratings >= like_from)
        return signs.astype(np.float32)


def _bounds(item_ids: Sequence[Any] | NDArray[Any], offsets: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """Return the first interaction of each user; of one user if no offsets are given."""
    return np.array([0, len(item_ids)], np.int64) if offsets is None else offsets


def _cancel(
    result: FloatArray, cancels: NDArray[np.bool_], keys: NDArray[np.int64], values: FloatArray
) -> None:
    """Make the last positive interaction before each cancellation neutral, unless its amount is larger.

    Args:
        keys: [n] equal for interactions of the same user with the same item.
    """
    if not cancels.any():
        return
    concerned = np.flatnonzero(np.isin(keys, keys[cancels]))
    positives: dict[int, list[int]] = defaultdict(list)
    amounts = np.abs(values).tolist()
    for position in concerned.tolist():
        before = positives[int(keys[position])]
        if result[position] > 0:
            before.append(position)
        elif cancels[position] and before:
            amounts[before[-1]] -= amounts[position]
            if not amounts[before[-1]] > 0:  # without amounts the difference is NaN
                result[before.pop()] = 0


def _keep_last_opinions(
    result: FloatArray,
    states_opinion: NDArray[np.bool_],
    is_rating: NDArray[np.bool_],
    keys: NDArray[np.int64],
) -> None:
    """Make interactions neutral that a later opinion about the same item replaces; arguments as above."""
    if not _repeat(keys):
        return
    is_negative = result <= -OPINION
    opinions = np.flatnonzero(states_opinion | is_rating | is_negative)[::-1]
    with_opinion, first = np.unique(keys[opinions], return_index=True)
    last = opinions[first]
    replaced = is_rating | is_negative
    replaced[last] = False
    result[replaced] = 0
    disliked = with_opinion[result[last] < 0]
    result[(result > 0) & np.isin(keys, disliked)] = 0


def _repeat(keys: NDArray[np.int64]) -> bool:
    """Return whether any user has more than one interaction with an item; faster than looking for them."""
    return len(np.unique(keys)) < len(keys)


def _keys(item_ids: Sequence[Any] | NDArray[Any], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return [n] numbers that are equal for interactions of the same user with the same item."""
    codes = _codes(item_ids)
    users = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    return users * (int(codes.max(initial=0)) + 1) + codes


def _codes(item_ids: Sequence[Any] | NDArray[Any]) -> NDArray[np.int64]:
    """Return [n] a number for each item."""
    if isinstance(item_ids, np.ndarray) and np.issubdtype(item_ids.dtype, np.integer):
        return item_ids.astype(np.int64)
    numbers: dict[Any, int] = {}
    return np.fromiter((numbers.setdefault(i, len(numbers)) for i in item_ids), np.int64, len(item_ids))
