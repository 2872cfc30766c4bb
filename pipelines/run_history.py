"""Runs that were, and the one that is: on this machine or on Kubeflow."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

ENDED: Final = ("succeeded", "failed", "skipped", "canceled", "killed")
FAILED: Final = ("failed", "canceled", "killed")
POLL_S: Final = 5.0


@dataclass(frozen=True)
class Step:
    """One step of a run; `error` is "" unless it failed."""

    name: str
    state: str
    started: datetime | None
    ended: datetime | None
    error: str


@dataclass(frozen=True)
class Run:
    """One run; the steps by start time, and further facts by their names, such as "version"."""

    run_id: str
    name: str
    state: str
    started: datetime | None
    ended: datetime | None
    steps: tuple[Step, ...]
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED


class RunHistory(Protocol):
    """The runs of one home, or of one experiment of Kubeflow."""

    def newest(self, count: int) -> list[Run]:
        """Return the newest `count` runs, newest first."""

    def get(self, run_id: str) -> Run:
        """Return a run with its steps and facts.

        Raises:
            LookupError: there is no such run.
        """

    def log(self, run_id: str, step: str, follow: bool) -> Iterator[str]:
        """Yield the lines that a run printed, or one step of it; with `follow`, until the run ends.

        Raises:
            LookupError: there is no such run.
            ValueError: there is no such step; the message lists all.
            RunError: the log cannot be had.
        """


def shown(facts: dict[str, Any]) -> dict[str, str]:
    """Return what steps left of their run (components.run_facts) as text, in one order."""
    texts: dict[str, tuple[str, Callable[[Any], str]]] = {
        "rows": ("rows", lambda rows: f"{rows:,}"),
        "verdict": ("verdict", str),
        "version": ("version", str),
        "live": ("live", lambda live: "yes" if live else "no"),
        "undelivered": ("not delivered", "\n".join),
    }
    return {label: text(facts[name]) for name, (label, text) in texts.items() if name in facts}


def follow(history: RunHistory, run_id: str, poll_s: float = POLL_S) -> Iterator[Run]:
    """Yield a run again and again until it ends."""
    while True:
        run = history.get(run_id)
        yield run
        if run.has_ended:
            return
        time.sleep(poll_s)
