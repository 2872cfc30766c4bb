"""Tests of the four default scenarios, and of request fields that scenarios can set too."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from feature_repo.histories import History
from feature_repo.interaction import Interaction
from serving.answers import Answer
from serving.errors import InvalidRequest
from serving.release.exposure_offsets import ExposureOffsets
from tests.patience import wait_until
from tests.serving.planted import FILMS, ITEMS_PER_CATEGORY, write_release
from tests.serving.service import FakeSnapshot, RunningService, running
from tests.serving.test_recommender import categories, past

DAY_US = 86_400_000_000
START = 18_262 * DAY_US


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    with running(tmp_path) as service:
        yield service


def ids(answer: Answer) -> list[str]:
    return [item.item_id for item in answer.recommendations]


def later(monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    """Set the service's clock `days` ahead."""
    ahead = time.time_ns() + round(days * DAY_US) * 1000
    monkeypatch.setattr("serving.user_data.request_context.time.time_ns", lambda: ahead)


# content: a diverse answer


def test_content_adds_a_second_category_and_fresh_items(service: RunningService) -> None:
    service.client.record_all(past("comedy", 1, 2, 3) + past("horror", 8))
    service.client.record_all(past("comedy", 4, start=START + 2 * DAY_US))
    plain, content = (service.client.recommend("u", k=10, scenario=name) for name in ("", "content"))
    assert categories(plain) == {"Comedy"}
    assert categories(content) == {"Comedy", "Horror"}
    assert ids(content)[0] == ids(plain)[0]
    counts = [category for item in content.recommendations for category in item.categories]
    assert max(counts.count("Comedy"), counts.count("Horror")) <= 5
    fresh = {
        f"{category}-{number}"
        for category in ("comedy", "horror")
        for number in range(16, ITEMS_PER_CATEGORY)
    }
    assert fresh & set(ids(content))


def test_an_explanation_contains_the_rule_that_moved_or_removed_an_item(service: RunningService) -> None:
    service.client.record_all(past("comedy", 1, 2, 3))
    content = service.client.recommend(
        "u", k=10, scenario="content", explain=True, exclude_item_ids=["comedy-9"]
    )
    moved = {item.item_id: item.reordered_by for item in content.recommendations}
    assert {moved[item] for item in moved if item.startswith("horror")} <= {
        "max_per_category",
        "min_fresh_share",
        "diversity",
    }
    assert moved[ids(content)[0]] is None
    rules = {item.item_id: item.rule for item in content.removed}
    assert rules["comedy-2"] == "seen"
    assert "max_per_category" in rules.values()
    assert not set(rules) & set(ids(content))
    scores = [item.score for item in content.removed]
    assert scores == sorted(scores, reverse=True)
    all_removed = service.client.recommend("u", k=40, explain=True, exclude_item_ids=["comedy-9"]).removed
    assert {item.item_id: item.rule for item in all_removed} == {
        "comedy-9": "exclude_item_ids",
        **{f"comedy-{number}": "seen" for number in (1, 2, 3)},
    }
    assert service.client.recommend("u", k=10).removed == []


# ads: bid times click probability, with a frequency cap


def test_ads_are_ordered_by_bid_times_the_probability_of_a_click(service: RunningService) -> None:
    service.client.record_all(past("comedy", 1, 2, 3))
    bids = {
        "comedy-4": 1.0,
        "comedy-5": 1.0,
        "horror-1": 1.0,
        "horror-2": 1000.0,
        "comedy-6": 0.0,
        "unknown": 9.0,
    }
    answer = service.client.recommend("u", scenario="ads", bids=bids, explain=True)
    probabilities = {item.item_id: item.click_probability for item in answer.recommendations}
    assert set(probabilities) == {"comedy-4", "comedy-5", "horror-1", "horror-2"}
    for item in answer.recommendations:
        assert item.click_probability is not None
        assert 0 < item.click_probability < 1
        assert item.score == pytest.approx(bids[item.item_id] * item.click_probability, rel=1e-5)
    scores = [item.score for item in answer.recommendations]
    assert scores == sorted(scores, reverse=True)
    assert ids(answer)[0] == "horror-2"  # its bid outweighs its low probability
    assert answer.recommendations[0].reordered_by == "expected_value"
    assert ids(answer)[1:] == ["comedy-4", "comedy-5", "horror-1"]  # equal bids: by probability
    assert {item.rule for item in answer.removed} >= {"bids", "seen"}


def test_an_ad_at_its_cap_is_left_out_until_the_next_day(
    service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    bids = {"comedy-4": 2.0, "horror-1": 1.0}
    shown = [ids(service.client.recommend("u", k=1, scenario="ads", bids=bids)) for _ in range(7)]
    assert shown == [["comedy-4"]] * 3 + [["horror-1"]] * 3 + [[]]
    removed = service.client.recommend("u", k=40, scenario="ads", bids=bids, explain=True).removed
    assert {item.rule for item in removed} == {"bids", "frequency_cap"}
    other = service.client.recommend("another user", k=1, scenario="ads", bids=bids)
    assert ids(other) == ["comedy-4"]
    later(monkeypatch, days=1.1)
    assert ids(service.client.recommend("u", k=1, scenario="ads", bids=bids)) == ["comedy-4"]


def test_an_impression_is_not_part_of_the_history(service: RunningService) -> None:
    bids = {"horror-1": 1.0, "horror-2": 1.0}
    service.client.recommend("u", scenario="ads", bids=bids)
    assert service.client.recommend("u").basis == "trending"
    service.client.record("u", "comedy-3")
    service.client.record("u", "horror-3", event_type="impression")
    assert categories(service.client.recommend("u", k=5)) == {"Comedy"}
    impression = Interaction("1", "v", "horror-3", "impression", DAY_US)
    assert service.client.recommend("v", history=[impression]).basis == "trending"
    assert len(service.log.since("u", 0)) == 1


def test_bids_are_required_by_their_scenario_and_rejected_without_it(service: RunningService) -> None:
    with pytest.raises(InvalidRequest, match="bids: expected a bid for each item to rank in scenario 'ads'"):
        service.client.recommend("u", scenario="ads")
    with pytest.raises(InvalidRequest, match="bids: expected no bids"):
        service.client.recommend("u", bids={"comedy-1": 1.0})
    for bid in (-1.0, float("nan"), float("inf")):
        with pytest.raises(InvalidRequest, match=r"bids\['comedy-1'\]: expected a number from 0"):
            service.client.recommend("u", scenario="ads", bids={"comedy-1": bid})


# social: items of followed users


def test_social_answers_items_of_followed_users(service: RunningService) -> None:
    service.client.record_all(past("comedy", 1, 2))
    service.client.record_all(past("horror", 3, 4, user="friend"))
    service.features.snapshots["other"] = FakeSnapshot(
        History().extend(past("comedy", 2, 9, user="other") + past("horror", 4, user="other")), as_of=DAY_US
    )
    answer = service.client.recommend(
        "u", scenario="social", followed_user_ids=["friend", "other", "stranger"]
    )
    reasons = {item.item_id: item.reason for item in answer.recommendations}
    assert reasons == {
        "comedy-9": "chosen by a person you follow",
        "horror-3": "chosen by a person you follow",
        "horror-4": "chosen by 2 people you follow",
    }  # comedy-2 is seen
    assert ids(answer)[0] == "comedy-9"
    assert all("followed" in item.sources for item in answer.recommendations)
    assert answer.degraded == []


def test_at_most_max_followed_users_are_read(tmp_path: Path) -> None:
    file = tmp_path / "scenarios.toml"
    file.write_text('[few]\nsources = ["followed"]\nmax_followed = 1\n')
    with running(tmp_path, scenarios=file) as service:
        service.client.record_all(past("horror", 3, user="first") + past("horror", 4, user="second"))
        assert ids(service.client.recommend("u", scenario="few", followed_user_ids=["first", "second"])) == [
            "horror-3"
        ]


def test_all_sources_are_used_if_followed_users_have_no_items(service: RunningService) -> None:
    answer = service.client.recommend("u", k=3, scenario="social", followed_user_ids=["stranger"])
    assert len(answer.recommendations) == 3
    assert [(each.stage, each.fallback) for each in answer.degraded] == [("sources", "all_sources")]


def test_followed_users_whose_histories_hang_are_reported(tmp_path: Path) -> None:
    with running(tmp_path, history_budget_ms=60) as service:
        service.features.gate.clear()
        service.log.gate.clear()
        answer = service.client.recommend(
            "", scenario="social", followed_user_ids=["a", "b"], history=["comedy-1"]
        )
        assert ("followed_users", "partial_histories") in [
            (each.stage, each.fallback) for each in answer.degraded
        ]


# email: no item twice within some days


def test_email_repeats_no_item_within_its_days(
    service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.client.record_all(past("comedy", 1, 2, 3))
    digests = [ids(service.client.recommend("u", k=10, scenario="email")) for _ in range(3)]
    assert len({item for digest in digests for item in digest}) == 30
    assert len(ids(service.client.recommend("u", k=10, scenario="email"))) == 7  # all that is left
    assert ids(service.client.recommend("u", k=10, scenario="email")) == []
    later(monkeypatch, days=7.1)
    assert ids(service.client.recommend("u", k=10, scenario="email")) == digests[0]


def test_email_returns_the_same_items_for_the_same_request_id(service: RunningService) -> None:
    first, again = (service.client.recommend("u", scenario="email", request_id="monday") for _ in range(2))
    assert ids(first) == ids(again)
    assert len(service.exposures.shown("u", 0, "")) == 10
    neighbour = service.client.recommend("v", scenario="email", request_id="monday")
    assert ids(neighbour) == ids(first)
    assert len(service.exposures.shown("v", 0, "")) == 10
    assert not set(ids(service.client.recommend("u", scenario="email", request_id="tuesday"))) & set(
        ids(first)
    )


def test_email_reports_a_missing_frequency_cap_without_the_log(service: RunningService) -> None:
    service.log.broken = True
    answer = service.client.recommend("u", k=3, scenario="email")
    assert len(answer.recommendations) == 3
    degraded = {(each.stage, each.fallback) for each in answer.degraded}
    assert {("frequency_cap", "no_frequency_cap"), ("impressions", "not_recorded")} <= degraded
    anonymous = service.client.recommend("", k=3, scenario="email")
    assert {each.reason for each in anonymous.degraded} == {"the request has no user id"}


# request fields


def test_a_history_of_one_domain_ranks_items_of_another(service: RunningService) -> None:
    films = past("horror", 1, 2, 3)
    assert all(int(film.item_id.split("-")[1]) < FILMS for film in films)
    service.client.record_all(films)
    books = service.client.recommend("u", k=5, domain="books")
    assert (books.basis, categories(books)) == ("history", {"Horror"})
    assert all(int(item.item_id.split("-")[1]) >= FILMS for item in books.recommendations)


def test_a_scenario_can_set_the_domain(tmp_path: Path) -> None:
    file = tmp_path / "scenarios.toml"
    file.write_text('[library]\ndomain = "books"\n')
    with running(tmp_path, scenarios=file) as service:
        books = service.client.recommend("u", k=40, scenario="library")
        assert len(books.recommendations) == 2 * (ITEMS_PER_CATEGORY - FILMS)


def test_a_scenario_can_set_categories_and_exclude_items(tmp_path: Path) -> None:
    file = tmp_path / "scenarios.toml"
    file.write_text(
        '[matinee]\ncategories = ["Comedy"]\nexclude_item_ids = ["comedy-9", "unknown"]\n'
        '[nursery]\nexclude_categories = ["Horror"]\n'
    )
    with running(tmp_path, scenarios=file) as service:
        matinee = service.client.recommend("u", k=40, scenario="matinee", exclude_item_ids=["comedy-8"])
        assert set(ids(matinee)) == {f"comedy-{number}" for number in range(ITEMS_PER_CATEGORY)} - {
            "comedy-8",
            "comedy-9",
        }
        requested = service.client.recommend("u", k=3, scenario="matinee", categories=["Horror"])
        assert categories(requested) == {"Horror"}
        nursery = service.client.recommend("u", k=40, scenario="nursery", exclude_categories=["Unheard"])
        assert (categories(nursery), len(nursery.recommendations)) == ({"Comedy"}, ITEMS_PER_CATEGORY)


def test_excluded_categories_are_left_out(service: RunningService) -> None:
    service.client.record_all(past("comedy", 1, 2, 3))
    answer = service.client.recommend("u", k=40, exclude_categories=["Comedy", "Unheard"])
    assert (categories(answer), len(answer.recommendations)) == ({"Horror"}, ITEMS_PER_CATEGORY)


def test_an_unknown_scenario_is_rejected_with_the_valid_names(service: RunningService) -> None:
    with pytest.raises(
        InvalidRequest, match="scenario: expected one of ads, content, email, social, got 'feed'"
    ):
        service.client.recommend("u", scenario="feed")


def test_balanced_exposure_moves_items_and_the_answer_says_so(tmp_path: Path) -> None:
    file = tmp_path / "scenarios.toml"
    file.write_text("[fair]\nbalance_exposure = true\n")
    offsets = ExposureOffsets("domain", {"books": 9.0}, 0.0, 0.0, 0.1)
    write_release(tmp_path / "releases", 2, exposure_offsets=offsets)
    with running(tmp_path, scenarios=file) as service:
        service.client.record_all(past("comedy", 1, 2, 3))
        without = service.client.recommend("u", k=5, scenario="fair")
        assert [(each.stage, each.fallback) for each in without.degraded] == [
            ("exposure_balance", "unbalanced_exposure")
        ]
        assert ids(without) == ids(service.client.recommend("u", k=5))
        service.model.versions.append(2)
        service.go_live(2)
        wait_until(lambda: service.client.recommend("u").release_version == 2)
        plain, fair = (
            service.client.recommend("u", k=5, scenario=name, explain=True) for name in ("", "fair")
        )
        assert fair.degraded == []
        numbers = [int(item.item_id.split("-")[1]) for item in fair.recommendations]
        assert min(numbers) >= FILMS  # the books of each category
        assert {item.reordered_by for item in fair.recommendations} == {"balance_exposure"}
        assert {item.rule for item in fair.removed if item.item_id in ids(plain)} == {"balance_exposure"}
        scores = [item.score for item in plain.recommendations]
        assert scores == sorted(scores, reverse=True)
