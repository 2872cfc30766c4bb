"""A split of some users' interactions, and what an evaluation protocol is."""

from dataclasses import dataclass
from typing import Protocol

from components.build_features.labelled_users import Integers, LabelledUsers


@dataclass(frozen=True)
class Split:
    """The split of some users' interactions; only positive interactions are held out."""

    train_until: Integers  # [users] the time (µs) before which their interactions are for training
    test_from: Integers  # [users] the time (µs) from which on no refit before the test may learn from them
    validation: Integers  # positions of the targets
    test: Integers

    @property
    def targets(self) -> dict[str, Integers]:
        return {"validation": self.validation, "test": self.test}


class EvaluationProtocol(Protocol):
    """Splits the interactions of some users."""

    @property
    def sampled_by(self) -> tuple[str, ...]:
        """The columns of the spine that identify what is sampled if there is much of it: users or queries."""
        ...

    def split(self, users: LabelledUsers, /) -> Split: ...
