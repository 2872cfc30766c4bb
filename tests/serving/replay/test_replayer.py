"""A recorded request is answered again as it was then, byte for byte, and by another release."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from feature_repo.histories import History
from feature_repo.interest_state import InterestState
from serving.answers import Answer, Rule
from serving.api.messages import answer_message
from serving.api.validation import RequestLimits
from serving.client import ShownAnswer
from serving.errors import InvalidRequest
from serving.exposures.exposure import Exposure
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.scenarios import load_scenarios
from serving.release.release_store import ReleaseStore
from serving.replay.answer_differences import differences
from serving.replay.not_repeatable import NotRepeatable
from serving.replay.replayer import Replayed, Replayer
from tests.patience import wait_until
from tests.serving.exposures.exposures import to_row
from tests.serving.service import FakeFeatures, FakeSnapshot, RunningService, running

SCENARIOS = """
[explore]
exploration = { method = "plackett_luce", share = 1.0, temperature = 5.0 }

[fair]
balance_exposure = true

[email]
frequency_cap = { impressions = 1, days = 7 }
record_impressions = true
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    root = tmp_path_factory.mktemp("replay")
    (root / "scenarios.toml").write_text(SCENARIOS)
    with running(root, versions=(1, 2), scenarios=root / "scenarios.toml") as service:
        yield service


def recorded(service: RunningService, answer: "ShownAnswer[str]") -> Exposure:
    wait_until(lambda: bool(service.exposures.of_request(answer.request_id)))
    return service.exposures.of_request(answer.request_id)[-1]


def replayed(
    service: RunningService,
    exposure: Exposure,
    version: int | None = None,
    explain_k: int | None = None,
    past: dict[tuple[int, int], FakeFeatures] | None = None,
    scenario: str | None = None,
    known: Sequence[str] = ("explore", "email", "fair"),
) -> Replayed:
    scenarios = {name: load_scenarios(service.root / "scenarios.toml")[name] for name in known}
    replayer = Replayer(
        service.features,
        lambda snapshot, release, users: (past or {}).get((snapshot, release), FakeFeatures()),
        service.log,
        service.exposures,
        service.model,
        scenarios,
        RequestLimits(),
    )
    release = LoadedRelease(
        ReleaseStore(str(service.root / "releases")).open(version or exposure.release_version)
    )
    return asyncio.run(replayer.replay(exposure, release, explain_k, scenario=scenario))


def serialized(answer: Answer) -> bytes:
    # Without `deterministic`, the order of a map's entries differs between two equal messages.
    return answer_message(answer).SerializeToString(deterministic=True)


@pytest.mark.parametrize(
    ("user", "options"),
    [
        ("ann", {}),
        ("ann", {"explain": True, "exclude_item_ids": ["comedy-3"]}),
        ("ann", {"history": ["horror-4"]}),
        ("ben", {"scenario": "explore"}),
        ("cem", {"scenario": "email"}),
        ("dan", {"scenario": "fair"}),  # the release has no exposure offsets
        ("", {"history": ["comedy-4"]}),
        ("nobody", {}),
    ],
)
def test_the_same_release_gives_the_same_bytes(
    service: RunningService, user: str, options: dict[str, object]
) -> None:
    if user in ("ann", "ben", "cem"):
        service.client.record(user, "comedy-1", event_type="like")
        service.client.record(user, "horror-2", event_type="dislike")
    answer = service.client.recommend(user, k=5, **options)  # type: ignore[arg-type]
    exposure = recorded(service, answer)
    for item in answer.recommendations[:2] if user else ():  # what happens later changes nothing
        answer.click(item)
        service.client.recommend(user, k=5, scenario="email")
    again = replayed(service, exposure)
    assert to_row(again.exposure) == to_row(exposure)
    assert serialized(again.answer) == serialized(answer)
    if user == "ann":
        assert answer_message(service.client.recommend(user, k=5)) != answer_message(answer)


def test_an_answer_of_an_earlier_snapshot_is_based_on_the_features_of_then(service: RunningService) -> None:
    history = History(["h1"], ["comedy-1"], ["like"], [float("nan")], [5_000])
    interest_state = InterestState(1, 5_000, np.ones(4, np.float32), np.array([0, 1, 1], np.float32))
    service.features.snapshots["gil"] = FakeSnapshot(history, as_of=6_000, interest_state=interest_state)
    answer = service.client.recommend("gil", k=5)
    exposure = recorded(service, answer)
    kept = FakeFeatures()
    kept.snapshots = dict(service.features.snapshots)
    service.client.record("gil", "horror-1", event_type="like")
    service.features.snapshots["gil"] = FakeSnapshot(as_of=7_000)  # the next run
    again = replayed(service, exposure, past={(6_000, 1): kept})
    assert exposure.snapshot == 6_000
    assert to_row(again.exposure) == to_row(exposure)
    assert serialized(again.answer) == serialized(answer)
    with pytest.raises(NotRepeatable, match="are not kept"):
        replayed(service, exposure)


def test_another_release_is_compared_term_by_term(service: RunningService) -> None:
    service.client.record("dan", "comedy-1", event_type="like")
    answer = service.client.recommend("dan", k=3)
    exposure = recorded(service, answer)
    then, other = (replayed(service, exposure, version, explain_k=3) for version in (1, 2))
    assert [item.title.split(" of ")[1] for item in other.answer.recommendations] == ["2"] * 3
    explained = [replayed(service, exposure, version, explain_k=20).answer for version in (1, 2)]
    same = list(differences(then.answer, other.answer, *explained))
    assert [(each.place_then, each.place_other, each.terms) for each in same] == [
        (n, n, []) for n in (1, 2, 3)
    ]
    changed = other.answer.recommendations[2].contributions
    changed.update(ease=changed["ease"] + 2, trend=changed["trend"] - 3)
    (*_, third) = differences(then.answer, other.answer, *explained)
    assert [(term.feature, round(term.other - term.then, 3)) for term in third.terms] == [
        ("trend", -3),
        ("ease", 2),
    ]


def test_another_scenario_is_compared_and_places_that_it_set_are_named(service: RunningService) -> None:
    service.client.record("hal", "comedy-1", event_type="like")
    exposure = recorded(service, service.client.recommend("hal", k=3, scenario="explore", request_id="hal"))
    then = replayed(service, exposure, explain_k=3)
    other = replayed(service, exposure, explain_k=3, scenario="")
    plain = service.client.recommend("hal", k=3, explain=True, request_id="hal")
    assert serialized(other.answer) == serialized(plain)
    found = list(differences(then.answer, other.answer, then.answer, other.answer))
    assert Rule.EXPLORATION in [each.rule_then for each in found]
    assert {each.rule_other for each in found} == {None}
    with pytest.raises(InvalidRequest, match="expected one of email, explore, fair, got 'no'"):
        replayed(service, exposure, scenario="no")
    with pytest.raises(NotRepeatable, match=r"'explore', which is none of email; set PENCHANT_SCENARIOS"):
        replayed(service, exposure, known=["email"])


def test_what_can_not_be_repeated_says_why(service: RunningService) -> None:
    service.features.snapshots["eve"] = FakeSnapshot(as_of=5)
    answer = service.client.recommend("eve", k=3)
    exposure = recorded(service, answer)
    service.features.snapshots["eve"] = FakeSnapshot(as_of=6)
    with pytest.raises(NotRepeatable, match="a later run has replaced the features"):
        replayed(service, exposure)
    long = service.client.recommend("u", k=3, exclude_item_ids=[f"{n:0>99}" for n in range(200)])
    with pytest.raises(NotRepeatable, match="the request was longer than 16 KB"):
        replayed(service, recorded(service, long))
    service.client.record("fay", "comedy-1")
    before = recorded(service, service.client.recommend("fay", k=3))
    service.model.down = True
    down = service.client.recommend("fay", k=2, history=["horror-1"])
    service.model.down = False
    assert replayed(service, recorded(service, down)).answer.recommendations == down.recommendations
    with pytest.raises(NotRepeatable, match="were deleted"):
        replayed(service, replace(before, delta=b"another"))
