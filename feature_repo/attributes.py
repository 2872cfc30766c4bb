"""What is known of a user beside the history, and the one rule by which the model is told of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo.contract import PAD

# Of a profile, what build_features counts there beside the attributes that were given.
ACTIVITY: Final = ("interactions", "items", "mean_value", "first_seen", "last_seen", "seen_before")

# Separates the entries of a text attribute that has several.
SEPARATOR: Final = "|"


@dataclass(frozen=True, slots=True)
class Attributes:
    """Parallel lists: a text is called "column=text" and has NaN, a number is called "column"."""

    names: Sequence[str] = ()
    values: Sequence[float] = ()

    @classmethod
    def of(cls, profile: Mapping[str, object]) -> "Attributes":
        """From a user's profile, as the feature store holds it; what is null, NaN or activity is left out."""
        known: list[tuple[str, float]] = []
        for column, value in profile.items():
            if column in ACTIVITY:
                continue
            if isinstance(value, str):
                known += [(f"{column}={entry}", np.nan) for entry in value.split(SEPARATOR) if entry]
            elif isinstance(value, int | float) and value == value:
                known.append((column, float(value)))
        return cls([name for name, _ in known], [value for _, value in known])


def encode(users: Sequence[Attributes]) -> dict[str, NDArray[np.generic]]:
    """The attribute inputs of the SavedModel, each [batch, 1 + most], right-padded.

    A pad stands first in each row for the same reason as in histories.encode.
    """
    shape = (len(users), 1 + max((len(user.names) for user in users), default=0))
    names, values = np.full(shape, PAD, dtype=object), np.full(shape, np.nan, np.float32)
    for row, user in enumerate(users):
        names[row, 1 : 1 + len(user.names)] = user.names
        values[row, 1 : 1 + len(user.names)] = user.values
    return {"attributes": names, "attribute_values": values}
