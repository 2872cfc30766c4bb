"""Simulates visits for the demo: users click what they are shown, while two policies are interleaved."""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import duckdb
import numpy as np

from components.evaluate_online.experiment_report import ExperimentReport, report_experiment
from feature_repo.atomic_files import remove_directory, write_text_atomically
from feature_repo.filesystems import without_wildcards
from feature_repo.store_addresses import sqlite_url
from pipelines.servers.servers import serve_beside
from pipelines.settings import Settings
from pipelines.synthetic_data.simulated_users import SimulatedUsers
from serving.client import AsyncRecommender
from serving.experiments.experiment import Act, Arm, Experiment, RampStep
from serving.experiments.experiment_file import ExperimentFile
from serving.release.catalog import Catalog
from serving.release.published_versions import PublishedVersions

# What the release is compared with: itself, without the items of the commonest category.
CANDIDATE: Final = "narrower"

_USERS: Final = 250
_PLACES: Final = 10
_CLIENTS: Final = 8
_DAYS: Final = 10  # after each of which the tastes drift
_DRIFT: Final = 0.05
# Of an item of a user's only topic, at the first place: enough for a verdict after 2,000 visits.
_CLICK_SHARES: Final = (0.3, 0.9)


@dataclass(frozen=True)
class Visitors:
    """Simulated users with the ids of real ones, whose tastes begin as the categories of their histories."""

    population: SimulatedUsers
    user_ids: Sequence[str]
    index: dict[str, int]  # item id -> number
    commonest_category: str

    @classmethod
    def of(cls, run: Path, catalog: Catalog, seed: int = 7) -> "Visitors":
        """Return the visitors of a run's catalog; `run` is its folder."""
        topic_of, topics = np.zeros(len(catalog), np.int64), dict[str, int]()
        for item, categories in enumerate(catalog.categories):
            topic_of[item] = topics.setdefault(categories[0] if categories else "", len(topics))
        user_ids, items = _histories(next(run.glob("steps/*/ingest-interactions/interactions")))
        population = SimulatedUsers(len(user_ids), len(catalog), len(topics), seed, _DRIFT)
        population.topic_of = topic_of
        population.appeal = np.random.default_rng(seed).uniform(*_CLICK_SHARES, len(catalog))
        for user, chosen in enumerate(items):
            known = [catalog.index[item] for item in chosen if item in catalog.index]
            counts = np.bincount(topic_of[known], minlength=len(topics)) + 0.5
            population.tastes[user] = counts / counts.sum()
        commonest = max(filter(None, topics), key=lambda name: (topic_of == topics[name]).sum())
        return cls(population, user_ids, catalog.index, commonest)

    async def visit(self, address: str, visits: int) -> None:
        """Ask for answers of random users, and record the clicks on them."""
        users = np.random.default_rng(self.population.seed).integers(len(self.user_ids), size=visits)
        async with AsyncRecommender(address) as recommender:
            for day in np.array_split(users, _DAYS):
                waiting = iter(day.tolist())

                clients = (self._client(recommender, waiting) for _ in range(_CLIENTS))
                await asyncio.gather(*clients)
                self.population.advance()

    async def _client(self, recommender: AsyncRecommender, waiting: Iterator[int]) -> None:
        for user in waiting:
            await self._visit(recommender, user)

    async def _visit(self, recommender: AsyncRecommender, user: int) -> None:
        answer = await recommender.recommend(self.user_ids[user], k=_PLACES)
        items = np.array([[self.index[item.item_id] for item in answer.recommendations]], np.int64)
        clicked = self.population.clicks(np.array([user]), items)[0]
        for place in np.flatnonzero(clicked).tolist():
            await answer.click(answer.recommendations[place])


def interleave_visits(
    settings: Settings, model_server: str, live: int, visitors: Visitors, visits: int
) -> ExperimentReport:
    """Interleave the live release with a variant of itself, in simulated visits.

    The visits are recorded in a log of their own, so that no training learns from them; it is deleted.

    Raises:
        RunError: the recommender did not start.
        ValueError: another experiment is running.
    """
    folder = settings.home / "demo"
    remove_directory(folder)
    log, scenarios = folder / "simulated_visits.db", folder / "scenarios.toml"
    left_out = json.dumps([visitors.commonest_category])  # JSON is TOML here, too
    write_text_atomically(scenarios, f"[{CANDIDATE}]\nexclude_categories = {left_out}\n")
    apart = settings.model_copy(update={"interaction_log": sqlite_url(log)})
    file = ExperimentFile(PublishedVersions(settings.releases))
    started = _experiment(live)
    file.start(started)
    try:
        own = {"SCENARIOS": str(scenarios), "EXPOSURE_SHARE": "1"}
        with serve_beside(apart, model_server, **own) as address:
            asyncio.run(visitors.visit(address, visits))
    finally:
        end = _act("stopped")
        file.stop(started.name, end)
    try:
        return report_experiment(apart.interaction_log, settings.warehouse, started.with_act(end))
    finally:
        remove_directory(folder)


def _experiment(live: int) -> Experiment:
    act = _act("started")
    return Experiment(
        name=f"demo-{time.time_ns() // 1_000_000}",
        kind="interleaving",
        arms=(Arm(name="live", release=live), Arm(name=CANDIDATE, release=live, scenario=CANDIDATE)),
        requests="",  # those that name no scenario
        ramp=(RampStep(at=act.at, share=1.0),),
        acts=(act,),
    )


def _act(what: str) -> Act:
    return Act.model_validate({"what": what, "by": "demo", "at": datetime.now(UTC), "reason": "the demo"})


def _histories(interactions: Path) -> tuple[list[str], list[list[str]]]:
    """Return some users, and the items of their interactions."""
    query = """
        SELECT user_id, list(item_id) FROM read_parquet(?) WHERE item_id IS NOT NULL
        GROUP BY user_id ORDER BY hash(user_id), user_id LIMIT ?
    """
    with duckdb.connect() as connection:
        rows = connection.execute(query, [without_wildcards(interactions), _USERS]).fetchall()
    return [user_id for user_id, _ in rows], [items for _, items in rows]
