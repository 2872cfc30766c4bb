"""Assigns users to arms by a keyed hash, so that a user always gets the same arm, on every machine.

The key is the experiment's name: the users of one experiment's arm are spread evenly over another's.
"""

import hashlib
from typing import Final

from serving.experiments.experiment import Arm, Experiment

_BITS: Final = 53  # of a float64


def position(experiment: str, user_id: str) -> float:
    """Return a user's place in an experiment, 0 up to 1, evenly distributed over users."""
    key = hashlib.blake2b(experiment.encode(), digest_size=32).digest()
    digest = hashlib.blake2b(user_id.encode(), key=key, digest_size=8).digest()
    return (int.from_bytes(digest) >> (64 - _BITS)) / (1 << _BITS)


def assign(experiment: Experiment, user_id: str, seconds: float) -> Arm | None:
    """Return the arm of a user at a time, seconds since the epoch; None for one outside the experiment.

    A share that grows only adds users. For shadow and interleaving the second arm says that the user's
    requests are also answered by it, or interleaved; the first one, that they are not.
    """
    at = position(experiment.name, user_id)
    if experiment.kind != "ab":
        return experiment.arms[at < experiment.share_at(seconds)]
    for arm in experiment.arms:
        at -= arm.share or 0.0
        if at < 0:
            return arm
    return None
