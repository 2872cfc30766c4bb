"""The evaluation protocols by name."""

from typing import Final

import ibis.expr.types as ir

from components.build_features.by_time import ByTime
from components.build_features.global_time import GlobalTime
from components.build_features.leave_one_out import LeaveOneOut
from components.build_features.splits import EvaluationProtocol
from components.errors import StepError

PROTOCOLS: Final = ("leave-one-out", "time", "global-time-last", "global-time-successive")


def make_protocol(name: str, interactions: ir.Table, as_of: int) -> EvaluationProtocol:
    """Return the protocol of this name; `as_of` (µs) is later than all interactions.

    Raises:
        StepError: the name is unknown, or there is nothing to split by time.
    """
    if name not in PROTOCOLS:
        raise StepError(f"protocol={name!r}: expected one of {', '.join(PROTOCOLS)}")
    if name == "leave-one-out":
        return LeaveOneOut(as_of)
    if name == "time":
        return ByTime.of(interactions, as_of)
    return GlobalTime.of(interactions, as_of, successive=name == "global-time-successive")
