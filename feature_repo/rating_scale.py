"""The rating scale of a data set, and where liking begins on it for a user."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

# A user's mean rating counts as much as the mean of all users once the user has this many ratings.
MEAN_PRIOR: Final = 5.0

# A negative rating is this many standard deviations of all ratings below the user's mean, or more.
DISLIKE_DEVIATIONS: Final = 0.75

# Values are a rating scale if they span at most this much; larger ones are amounts, such as prices or counts.
MAX_SCALE_SPAN: Final = 100.0
MAX_SCALE_VALUES: Final = 201
# Rarer values, such as typing errors, do not define the ends of the scale.
MIN_VALUE_SHARE: Final = 0.001


@dataclass(frozen=True)
class RatingScale:
    """The distribution of the ratings of a data set."""

    low: float
    high: float
    mean: float
    deviation: float
    like_from: float | None = None  # every user likes ratings from here on; None: learned per user

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

    @classmethod
    def positive_from(cls, like_from: float) -> "RatingScale":
        """Return a rule that no data decides: ratings from here on are positive, and none is negative."""
        return cls(low=-np.inf, high=like_from, mean=like_from, deviation=0, like_from=like_from)

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
