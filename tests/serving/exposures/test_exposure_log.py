"""Each answer of the service is recorded with what it showed, without delaying it."""

from pathlib import Path

import pytest

from serving.answers import Answer
from serving.exposures.exposure import MAX_REQUEST_BYTES, Exposure
from serving.protos import recommender_pb2 as pb
from serving.ranking.candidate_set import SOURCES
from tests.patience import wait_until
from tests.serving.service import RunningService, running


def recorded(service: RunningService, request_id: str) -> Exposure:
    wait_until(lambda: bool(service.exposures.of_request(request_id)))
    (exposure,) = service.exposures.of_request(request_id)
    return exposure


def shown(answer: Answer) -> list[str]:
    return [item.item_id for item in answer.recommendations]


def test_an_exposure_has_what_the_answer_showed(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        service.client.record("u", "comedy-1", event_type="like")
        answer = service.client.recommend("u", k=3, scenario="content", request_id="r1")
        again = service.client.recommend("u", k=5, scenario="content", request_id="r2")
        exposure, other = recorded(service, "r1"), recorded(service, "r2")
    assert exposure.item_ids == shown(answer)
    assert list(exposure.scores) == [item.score for item in answer.recommendations]
    names = [[source for bit, source in enumerate(SOURCES) if bits >> bit & 1] for bits in exposure.sources]
    assert names == [item.sources for item in answer.recommendations]
    assert list(exposure.propensities) == [1.0] * 3
    described = (
        exposure.user_id,
        exposure.release_version,
        exposure.scenario,
        exposure.basis,
        exposure.degraded,
    )
    assert described == ("u", 1, "content", "history", "")
    assert pb.RecommendRequest.FromString(exposure.request).k == 3
    assert exposure.candidates == other.candidates
    assert shown(again) == other.item_ids


def test_a_long_request_is_not_kept_and_a_degraded_answer_says_so(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        service.client.record("u", "comedy-1")
        service.model.down = True
        excluded = [f"{number:0>99}" for number in range(MAX_REQUEST_BYTES // 99)]
        service.client.recommend("u", exclude_item_ids=excluded, request_id="r")
        exposure = recorded(service, "r")
    assert (exposure.request, exposure.degraded) == (b"", "interest")


@pytest.mark.parametrize(("share", "low", "high"), [(0.0, 0, 0), (0.5, 20, 80), (1.0, 100, 100)])
def test_a_share_of_the_requests_is_recorded(tmp_path: Path, share: float, low: int, high: int) -> None:
    with running(tmp_path, exposure_share=share) as service:
        for number in range(100):
            service.client.recommend("u", k=1, request_id=f"r{number}")
    found = {each.request_id for batch in service.exposures.between(0, 1 << 62) for each in batch}
    assert low <= len(found & {f"r{number}" for number in range(100)}) <= high  # stopping wrote what waited


def test_answers_go_on_without_the_store(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        service.log.record_gate.clear()
        assert [len(shown(service.client.recommend("u", k=2))) for _ in range(3)] == [2, 2, 2]


def test_the_exposure_of_a_recorded_interaction_is_stored_when_the_recording_returns(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        for number in range(5):
            answer = service.client.recommend("u", request_id=f"r{number}")
            service.client.record("u", shown(answer)[0], "click", request_id=answer.request_id)
            assert [each.item_ids for each in service.exposures.of_request(f"r{number}")] == [shown(answer)]


def test_explored_answers_state_their_propensities_and_never_show_a_blocked_item(tmp_path: Path) -> None:
    file = tmp_path / "scenarios.toml"
    file.write_text('[explore]\nexploration = { method = "plackett_luce", share = 1.0, temperature = 9.0 }\n')
    with running(tmp_path, scenarios=file) as service:
        service.client.record("u", "comedy-1", event_type="like")
        service.client.record("u", "comedy-2", event_type="dislike")
        answers = [
            service.client.recommend(
                "u", k=3, scenario="explore", exclude_item_ids=["comedy-3"], explain=True, request_id=f"r{n}"
            )
            for n in range(20)
        ]
        exposures = [recorded(service, f"r{number}") for number in range(20)]
    assert len({tuple(shown(answer)) for answer in answers}) > 10
    assert not {"comedy-2", "comedy-3"} & {item for answer in answers for item in shown(answer)}
    assert all(0 < propensity < 1 for each in exposures for propensity in each.propensities)
    assert "exploration" in {item.reordered_by for answer in answers for item in answer.recommendations}
