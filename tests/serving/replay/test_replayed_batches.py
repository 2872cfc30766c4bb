"""Answers that are given again in batches are those that are given again one by one."""

import asyncio
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace

import pytest

from feature_repo.histories import History
from serving.answers import Answer
from serving.api.messages import answer_message
from serving.api.validation import RequestLimits
from serving.exposures.exposure import Exposure
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.scenarios import load_scenarios
from serving.release.release_store import ReleaseStore
from serving.replay import replayed_batches
from serving.replay.not_repeatable import NotRepeatable
from serving.replay.past_stores import NoFeatures
from serving.replay.replayed_batches import replay_all
from serving.replay.replayer import Replayer
from tests.patience import wait_until
from tests.serving.service import FakeFeatures, FakeSnapshot, RunningService, running

SCENARIOS = """
[friends]
sources = ["followed"]
max_followed = 1
"""
SNAPSHOTS = (5_000, 6_000)
USERS = ["ann", "ben", "cem", "dan"]


@dataclass
class Kept:
    """The features of both snapshots, and which were asked for."""

    snapshots: dict[int, FakeFeatures] = field(default_factory=dict)
    asked: list[tuple[int, int, set[str]]] = field(default_factory=list)

    def __call__(self, snapshot: int, release: int, users: Collection[str]) -> FakeFeatures:
        self.asked.append((snapshot, release, set(users)))
        return self.snapshots.get(snapshot, FakeFeatures())


@dataclass
class Recorded:
    exposures: list[Exposure]
    kept: Kept
    replayer: Replayer
    release: LoadedRelease


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """Two answers to each user from each snapshot, in the order of time, one with a followed user."""
    root, kept = tmp_path_factory.mktemp("batches"), Kept()
    (root / "scenarios.toml").write_text(SCENARIOS)
    with running(root, scenarios=root / "scenarios.toml") as service:
        for turn, as_of in enumerate(SNAPSHOTS):
            service.features.snapshots |= {
                user: snapshot(number + turn, as_of) for number, user in enumerate(USERS)
            }
            kept.snapshots[as_of] = FakeFeatures()
            kept.snapshots[as_of].snapshots = dict(service.features.snapshots)
            answers(service)
        count = 2 * len(SNAPSHOTS) * len(USERS)
        wait_until(lambda: len(shown(service)) == count)
        exposures = shown(service)
        exposures[5] = replace(exposures[5], request=b"")
        scenarios = load_scenarios(root / "scenarios.toml")
        replayer = Replayer(
            NoFeatures(), kept, service.log, service.exposures, service.model, scenarios, RequestLimits()
        )
        release = LoadedRelease(ReleaseStore(str(root / "releases")).open(1))
        yield Recorded(exposures, kept, replayer, release)


def snapshot(item: int, as_of: int) -> FakeSnapshot:
    history = History([f"h{item}"], [f"comedy-{item}"], ["like"], [float("nan")], [as_of - 1])
    return FakeSnapshot(history, as_of)


def answers(service: RunningService) -> None:
    for user in USERS:
        service.client.recommend(user, k=3)
        service.client.record(user, "horror-1", event_type="like")
    for user in USERS:
        service.client.recommend(user, k=3, scenario="friends", followed_user_ids=["ann", "dan"])


def shown(service: RunningService) -> list[Exposure]:
    return [
        each for batch in service.exposures.between(0, 1 << 62) for each in batch if each.user_id in USERS
    ]


def serialized(exposure: Exposure, answer: Answer) -> tuple[str, bytes]:
    return exposure.request_id, answer_message(answer).SerializeToString(deterministic=True)


async def one_by_one(recorded: Recorded, k: int) -> list[tuple[str, bytes] | str]:
    found: list[tuple[str, bytes] | str] = []
    for exposure in recorded.exposures:
        try:
            replayed = await recorded.replayer.replay(exposure, recorded.release, k=k)
            found.append(serialized(exposure, replayed.answer))
        except NotRepeatable as error:
            found.append(str(error))
    return found


@pytest.mark.parametrize("users", [1_000, 2])
def test_batches_give_the_answers_that_are_given_one_by_one(
    recorded: Recorded, users: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replayed_batches, "_USERS", users)
    expected = asyncio.run(one_by_one(recorded, k=5))
    assert [number for number, each in enumerate(expected) if isinstance(each, str)] == [5]
    recorded.kept.asked.clear()
    together = asyncio.run(replay_all(recorded.replayer, recorded.exposures, recorded.release, 5, serialized))
    assert [str(each) if isinstance(each, NotRepeatable) else each for each in together] == expected
    asked = recorded.kept.asked
    assert [as_of for as_of, _, _ in asked] == sorted(as_of for as_of, _, _ in asked)
    assert {release for _, release, _ in asked} == {recorded.release.version}
    if users == 1_000:
        assert asked == [(as_of, 1, set(USERS)) for as_of in SNAPSHOTS]
    else:  # dan, the second followed user, is read for no one else: the scenario reads one
        names = [names for as_of, _, names in asked if as_of == SNAPSHOTS[1]]
        assert names == [{"ann", "ben"}, {"ann", "ben"}, {"ann", "cem"}, {"ann", "dan"}]
