"""Hashes of user ids, by which an evaluation counts users without storing their ids."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def hash_ids(user_ids: Sequence[str]) -> NDArray[np.uint64]:
    """Return [users] the hash of each id: without a key, so whoever guesses an id can recognise it."""
    return pd.util.hash_array(np.array(user_ids, object))
