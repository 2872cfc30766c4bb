"""Gives many recorded answers again, and reads the features that they are based on in batches."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Final, TypeVar

from serving.answers import Answer
from serving.exposures.exposure import Exposure
from serving.protos import recommender_pb2 as pb
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.request import NO_SCENARIO
from serving.ranking.scenarios import Scenario
from serving.replay.not_repeatable import NotRepeatable
from serving.replay.replayer import Replayer

T = TypeVar("T")

# Their features are in memory, up to 50 KB each.
_USERS: Final = 1_000


async def replay_all(
    replayer: Replayer,
    exposures: Sequence[Exposure],
    release: LoadedRelease,
    k: int,
    result: Callable[[Exposure, Answer], T],
) -> list[T | NotRepeatable]:
    """Let a release answer all requests again; returns a result for each, or why it can't be repeated.

    Args:
        k: items of an answer.
        result: called for each answer, which is not kept, in any order.

    Raises:
        InvalidRequest, Unavailable: as Replayer.replay.
    """
    results: dict[int, T | NotRepeatable] = {}
    for numbers, users in _batches(exposures, replayer.scenarios):
        batched = _with_past(replayer, exposures[numbers[0]].snapshot, release.version, users)
        for number in numbers:
            try:
                replayed = await batched.replay(exposures[number], release, k=k)
            except NotRepeatable as error:
                results[number] = error
            else:
                results[number] = result(exposures[number], replayed.answer)
    return [results[number] for number in range(len(exposures))]


def _with_past(replayer: Replayer, snapshot: int, release: int, users: Collection[str]) -> Replayer:
    """Return a replayer whose past features are those of one snapshot, where it reads `users` together."""
    features = replayer.past(snapshot, release, users)
    return replace(replayer, past=lambda *_: features)


def _batches(
    exposures: Sequence[Exposure], scenarios: Mapping[str, Scenario]
) -> Iterator[tuple[list[int], set[str]]]:
    """Yield numbers of exposures of one snapshot, and the users whose features they need.

    The tables are in the order of the users; in the same order, a batch needs few of their row groups.
    """
    ordered = sorted(enumerate(exposures), key=lambda each: (each[1].snapshot, each[1].user_id))
    for _, of_snapshot in groupby(ordered, key=lambda each: each[1].snapshot):
        numbers, users = list[int](), set[str]()
        for number, exposure in of_snapshot:
            numbers.append(number)
            users |= _users(exposure, scenarios)
            if len(users) >= _USERS:
                yield numbers, users
                numbers, users = [], set()
        if numbers:
            yield numbers, users


def _users(exposure: Exposure, scenarios: Mapping[str, Scenario]) -> set[str]:
    """Return the user of an answer, and the followed users who are read for it."""
    followed = pb.RecommendRequest.FromString(exposure.request).followed_user_ids
    return {exposure.user_id, *followed[: scenarios.get(exposure.scenario, NO_SCENARIO).max_followed]}
