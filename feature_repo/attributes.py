"""User attributes, and their encoding as inputs of the interest model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo.contract import DISLIKED_BEFORE, PAD, SEARCH_TIMES, SEARCHES, SEEN_BEFORE

# Columns of user_profile that build_features computes; all others are imported attributes.
ACTIVITY: Final = (
    *("interactions", "items", "mean_value", "first_seen", "last_seen"),
    *(SEEN_BEFORE, DISLIKED_BEFORE, SEARCHES, SEARCH_TIMES),
)

# Separates the values of a multi-valued text attribute.
SEPARATOR: Final = "|"


@dataclass(frozen=True, slots=True)
class Attributes:
    """Parallel lists: a text has the name "column=text" and the value NaN, a number has the name "column"."""

    names: Sequence[str] = ()
    values: Sequence[float] = ()

    @classmethod
    def of(cls, profile: Mapping[str, object]) -> "Attributes":
        """Return the attributes in a user's profile; skips null, NaN and ACTIVITY columns."""
        attributes: list[tuple[str, float]] = []
        for column, value in profile.items():
            if column in ACTIVITY:
                continue
            if isinstance(value, str):
                attributes += [(f"{column}={part}", np.nan) for part in value.split(SEPARATOR) if part]
            elif isinstance(value, int | float) and value == value:
                attributes.append((column, float(value)))
        return cls([name for name, _ in attributes], [value for _, value in attributes])


def encode(users: Sequence[Attributes]) -> dict[str, NDArray[np.generic]]:
    """Return the attribute inputs of the SavedModel, each [batch, 1 + most attributes], right-padded.

    `attributes` is str (object), `attribute_values` is float32.

    Each row starts with padding, for the reason given in histories.encode.
    """
    shape = (len(users), 1 + max((len(user.names) for user in users), default=0))
    names, values = np.full(shape, PAD, dtype=object), np.full(shape, np.nan, np.float32)
    for row, user in enumerate(users):
        names[row, 1 : 1 + len(user.names)] = user.names
        values[row, 1 : 1 + len(user.names)] = user.values
    return {"attributes": names, "attribute_values": values}
