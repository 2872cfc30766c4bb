"""The sign and strength of feedback: one implementation for training and serving."""

import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from feature_repo.event_types import KNOWN, OPINIONS, RATE, Kind
from feature_repo.opinions import (
    OPINION,
    any_repeats,
    cancel,
    keep_last_opinions,
    user_item_keys,
)
from feature_repo.rating_scale import RatingScale

FloatArray = NDArray[np.float32]

# The vote of a neutral rating, such as 3 of 5 stars, next to 1 for a positive one.
NEUTRAL_VOTE: Final = 0.5

_UNKNOWN: Final = (Kind.NEUTRAL, 1.0)


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
        - Interactions of a user with one timestamp have no order. They are read by their sign: first positive
          ones; then neutral ones, cancellations and negative amounts; then negative ones and low ratings. So
          a return cancels a purchase of the same date.

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
            keys = user_item_keys(item_ids, offsets)
            if any_repeats(keys):
                is_neutral &= ~np.isin(keys, keys[is_disliked])
        votes[is_neutral] = NEUTRAL_VOTE
        return preferences, votes

    def states_opinion(self, event_types: Sequence[str], values: Sequence[float]) -> NDArray[np.bool_]:
        """Return whether each interaction [n] states an opinion: it replaces earlier ones about its item."""
        always = {event_type for event_type in set(event_types) if self._is_opinion(event_type)}
        is_rated = self.ratings is not None and self.kind(RATE) is Kind.POSITIVE
        pairs = zip(event_types, values, strict=True)
        return np.fromiter(
            (name in always or (is_rated and name == RATE and value == value) for name, value in pairs),
            bool,
            len(event_types),
        )

    def _is_opinion(self, event_type: str) -> bool:
        kind, weight = self._kind_and_weight(event_type)
        return event_type in OPINIONS or (kind is Kind.NEGATIVE and weight >= OPINION)

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
        signed = self._sign_each(event_types, np.asarray(values, np.float32), offsets)
        if signed.cancels.any() or signed.is_rating.any() or (signed.preferences <= -OPINION).any():
            keys = user_item_keys(item_ids, offsets)
            if any_repeats(keys):
                self._combine(signed, event_types, keys, np.asarray(timestamps, np.int64), offsets)
        return signed.preferences, signed.is_neutral

    def _sign_each(
        self, event_types: Sequence[str], values: FloatArray, offsets: NDArray[np.int64]
    ) -> "_Signed":
        """Return what each interaction says by itself."""
        count = len(event_types)
        pairs = {event_type: self._kind_and_weight(event_type) for event_type in set(event_types)}
        of_type = {
            event_type: weight if kind is Kind.POSITIVE else -weight if kind is Kind.NEGATIVE else 0.0
            for event_type, (kind, weight) in pairs.items()
        }
        preferences = np.fromiter(map(of_type.__getitem__, event_types), np.float32, count)
        is_neutral, is_rating = np.zeros(count, bool), np.zeros(count, bool)
        if self.all_positive:
            return _Signed(preferences, values, is_neutral, is_rating, np.zeros(count, bool))
        if self.ratings is not None and RATE in pairs and pairs[RATE][0] is Kind.POSITIVE:
            is_rating = _is_one_of({RATE}, event_types) & ~np.isnan(values)
            signs = self._signs(values, is_rating, offsets)
            preferences[is_rating] *= signs
            is_neutral[is_rating] = signs == 0
        types = {event_type for event_type, (kind, _) in pairs.items() if kind is Kind.CANCELLATION}
        refunds = (preferences > 0) & ~is_rating & (values < 0)
        preferences[refunds] = 0
        return _Signed(preferences, values, is_neutral, is_rating, _is_one_of(types, event_types) | refunds)

    def _combine(
        self,
        signed: "_Signed",
        event_types: Sequence[str],
        keys: NDArray[np.int64],
        timestamps: NDArray[np.int64],
        offsets: NDArray[np.int64],
    ) -> None:
        """Apply what interactions of a user with the same item (equal `keys`) say about each other."""
        order = signed.order_of_steps(timestamps, offsets)
        preferences = signed.preferences[order]
        cancel(preferences, signed.cancels[order], keys[order], signed.values[order])
        states_opinion = _is_one_of(OPINIONS, event_types)
        keep_last_opinions(preferences, states_opinion[order], signed.is_rating[order], keys[order])
        signed.preferences[order] = preferences

    def _signs(
        self, values: FloatArray, is_rating: NDArray[np.bool_], offsets: NDArray[np.int64]
    ) -> FloatArray:
        """Return 1, 0 or a negative number for each rating, stronger the lower its value."""
        assert self.ratings is not None
        ratings, one_user = values[is_rating], len(offsets) == 2
        # One user, as in serving, needs no bound per rating: that takes half of the time.
        if one_user:
            # As bincount does: with float64, so that a bound is the same for one user and for many.
            sums = ratings.sum(keepdims=True, dtype=np.float64).astype(np.float32)
            counts = np.array([len(ratings)], np.float32)
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


@dataclass(frozen=True, eq=False)
class _Signed:
    """What each of n interactions says by itself."""

    preferences: FloatArray  # [n]
    values: FloatArray  # [n]
    is_neutral: NDArray[np.bool_]  # [n] a rating with a neutral value
    is_rating: NDArray[np.bool_]  # [n]
    cancels: NDArray[np.bool_]  # [n] a cancellation, or an amount that is taken back

    def order_of_steps(
        self, timestamps: NDArray[np.int64], offsets: NDArray[np.int64]
    ) -> NDArray[np.intp] | slice:
        """Return the positions [n] in order, those of a step by sign, then by value, not by id."""
        if not (timestamps[1:] == timestamps[:-1]).any():
            return slice(None)
        users = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        sign = np.select([self.preferences > 0, self.preferences < 0, self.cancels], [0, 3, 2], 1)
        return np.lexsort((self.values, sign, timestamps, users))


def _is_one_of(names: Set[str], event_types: Sequence[str]) -> NDArray[np.bool_]:
    """Return whether each event type [n] is in `names`."""
    present, all_names = names & set(event_types), set(event_types)
    if len(present) in (0, len(all_names)):
        return np.full(len(event_types), bool(present))
    return np.fromiter(map(present.__contains__, event_types), bool, len(event_types))


def _bounds(item_ids: Sequence[Any] | NDArray[Any], offsets: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """Return the first interaction of each user; of one user if no offsets are given."""
    return np.array([0, len(item_ids)], np.int64) if offsets is None else offsets
