"""A log of what simulated users were shown and did."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from feature_repo.interaction import Interaction
from pipelines.synthetic_data.simulated_users import SimulatedUsers
from serving.exposures.exposure import Exposure
from serving.exposures.exposure_store import ExposureStore
from serving.user_data.interaction_log import InteractionLog
from tests.serving.exposures.exposures import exposure, rows


def write_log(root: Path, shown: Sequence[Exposure], events: Sequence[Interaction]) -> str:
    """Store exposures and interactions in a log below `root`; return its URL."""
    url = f"sqlite:///{root}/log.db"
    store, log = ExposureStore(url), InteractionLog(url)
    store.append(rows(shown))
    log.record(events)
    store.close()
    log.close()
    return url


def event(
    number: int,
    user: str,
    item: str,
    at_s: float,
    event_type: str = "click",
    request_id: str = "",
    value: float = float("nan"),
) -> Interaction:
    """Return an interaction at `at_s` seconds."""
    return Interaction(
        f"e{number}", user, item, event_type, round(at_s * 1e6), value=value, request_id=request_id
    )


def simulated_log(
    root: Path, simulated: SimulatedUsers, days: int, k: int = 5, start_s: int = 1_700_000_000
) -> tuple[str, float]:
    """Write `days` of random answers to each user, and the clicks on them.

    Every second answer is to release 2, which shows only the more appealing half of the items. Returns the
    log's URL, and the expected click-through rate.
    """
    rng, users = np.random.default_rng(simulated.seed + 1), np.arange(simulated.users)
    best = np.argsort(-simulated.appeal)[: simulated.items // 2]
    shown: list[Exposure] = []
    events: list[Interaction] = []
    expected: list[float] = []
    for day in range(days):
        for release, pool in ((1, np.arange(simulated.items)), (2, best)):
            items = np.stack([rng.choice(pool, k, replace=False) for _ in users])
            clicks = simulated.clicks(users, items)
            expected.append(float(simulated.click_probabilities(users, items).mean()))
            for user in range(simulated.users):
                request, at_s = f"r{day}-{release}-{user}", start_s + 86_400 * day + 10 * user
                names = [f"i{item}" for item in items[user]]
                shown.append(
                    exposure(
                        request,
                        f"u{user}",
                        names,
                        round(at_s * 1e6),
                        release_version=release,
                        sources=[3] * k,
                    )
                )
                events += [
                    event(len(events) + place, f"u{user}", names[place], at_s + 5 + place, request_id=request)
                    for place in np.flatnonzero(clicks[user]).tolist()
                ]
        simulated.advance()
    events = [replace(each, interaction_id=f"e{number}") for number, each in enumerate(events)]
    return write_log(root, shown, events), float(np.mean(expected))
