"""The contents of a dossier: comparisons, data, hyperparameters, examples, and what to look at first."""

from typing import Any

import numpy as np
import pytest

from components.evaluate_release.dossier.contents import Other, contents
from components.evaluate_release.dossier.list_character import list_character
from components.evaluate_release.dossier.reference import as_evaluated
from components.evaluate_release.dossier.stored_evaluation import StoredEvaluation
from tests.components.evaluate_release.dossier.stored import N_USERS, USERS, facts, stored


def other(before: StoredEvaluation, own: StoredEvaluation, **changes: Any) -> Other:
    reference = as_evaluated(own, before)
    values = {"serving": before.facts["serving"], "by_turns": True, "missing": []} | changes
    return Other(6, "live version 6", before, reference, **values)


def compared(own: StoredEvaluation, before: StoredEvaluation) -> dict[str, Any]:
    return contents(own, other(before, own))


def texts(page: dict[str, Any], level: str) -> list[str]:
    return [point["text"] for point in page["attention"] if point["level"] == level]


def test_a_slice_that_is_worse_than_the_live_version_comes_first() -> None:
    # the first half of the users loses much, the second gains a little less
    page = compared(
        stored(np.where(USERS < N_USERS // 2, 9, 1)), stored(np.where(USERS < N_USERS // 2, 1, 2))
    )
    assert page["attention"][0]["level"] == "bad"
    assert "Significantly worse than live version 6: all queries; half first." in texts(page, "bad")
    rows = {row["label"]: row for row in page["against"]["rows"]}
    assert rows["second"]["verdict"] == "better"
    assert rows["first"]["queries"] == N_USERS // 2
    assert page["against"]["measured"] == (
        "both as they were evaluated, before their refit (both trained until 2026-11-01 00:00:00 UTC), "
        "on the 80 queries that both evaluations held out"
    )
    # rank 12 of the transitions is no hit
    assert {row["theirs"] for row in page["baseline"]["rows"]} == {0.0}
    assert page["by_model"]["half: first"]["popularity"] == 0.0


def test_the_data_that_each_version_was_trained_on_are_told_where_they_end_at_different_times() -> None:
    page = compared(stored(trained_until="2026-11-02 00:00:00"), stored())
    assert "(trained until 2026-11-01 00:00:00 and 2026-11-02 00:00:00 UTC)" in page["against"]["measured"]


def test_equal_versions_give_no_reason_to_look() -> None:
    page = compared(stored(), stored())
    assert texts(page, "bad") == texts(page, "warn") == texts(page, "info") == []
    assert texts(page, "good") == [
        "Not significantly worse than live version 6 in any of 3 tests.",
        "Not significantly worse than transition counts in any of 3 tests.",
    ]
    assert {row["verdict"] for row in page["against"]["rows"]} == {"same"}
    assert {mix["level"] for mix in page["data"]["mixes"].values()} == {"small"}
    assert [row["name"] for row in page["lists"]] == ["this version", "live version 6", "popularity"]
    assert page["examples"]["gains"] == page["examples"]["loses"] == []


def test_what_changed_in_the_data_is_counted_by_what_is_new_and_gone() -> None:
    data = facts()["data"]
    changed = data | {"interactions": 500, "event_types": {"view": 100.0, "purchase": 400.0}}
    page = compared(stored(users=90, data=changed, quarantine={}), stored(users=85))
    users = next(row for row in page["data"]["volumes"] if row["name"] == "users")
    assert (users["new"], users["gone"]) == (5, 0)
    drift = page["data"]["mixes"]["event types"]
    assert (drift["level"], drift["changes"][0]["name"]) == ("large", "purchase")
    assert page["data"]["set_aside"] == {"after": {}, "before": {"timestamp is in the future": 4}}
    warnings = " ".join(texts(page, "warn"))
    assert "large drift of the event types" in warnings
    assert "Fewer interactions: 500 instead of 1,000." in warnings


def test_changed_hyperparameters_code_and_costs_are_told() -> None:
    slow = facts()["serving"] | {"ranking_p50_ms": 2.0}
    own = stored(
        hyperparameters={"epochs": "2", "seed": "7", "new": "1"},
        serving=slow,
        lineage=facts()["lineage"] | {"code": "c2-dirty"},
        notes=["there are no intervals"],
    )
    page = compared(own, stored())
    rows = [(row["name"], row["before"], row["after"], row["changed"]) for row in page["hyperparameters"]]
    assert rows == [("epochs", "8", "2", True), ("new", None, "1", True), ("seed", "7", "7", False)]
    assert texts(page, "info") == [
        "Changed hyperparameters: epochs, new.",
        "Trained with other code.",
        "The code has changes that are not committed.",
    ]
    assert texts(page, "warn") == [
        "Dearer to serve: ranking (p50) 2.00 ms instead of 1.00 ms.",
        "there are no intervals.",
    ]


def test_times_of_different_runs_are_not_compared() -> None:
    own = stored(serving=facts()["serving"] | {"ranking_p50_ms": 2.0})
    assert texts(contents(own, other(stored(), own, by_turns=False)), "warn") == []


def test_a_first_release_is_compared_with_the_best_baseline_alone() -> None:
    page = contents(stored(), None)
    assert (page["other"], page["against"], page["data"]["mixes"]) == (None, None, {})
    assert page["baseline"]["rows"][0]["verdict"] == "better"
    assert page["examples_against"] == "transition counts"
    assert len(page["examples"]["drawn"]) == 20


def test_a_live_version_whose_data_are_gone_is_told_and_compared_as_far_as_it_can_be() -> None:
    missing = ["The evaluation of live version 6 is not there (deleted)."]
    page = contents(stored(), Other(6, "live version 6", None, None, {}, False, missing))
    assert texts(page, "info") == missing
    assert (page["against"], page["data"]["mixes"], page["lineage"]["before"]) == (None, {}, {})


def test_the_users_who_gain_and_lose_most_are_found() -> None:
    own, before = np.full(N_USERS, 3), np.full(N_USERS, 3)
    own[4], before[4] = 1, 30
    own[9], before[9] = 8, 1
    page = compared(stored(own, shift=5), stored(before))
    [gains], [loses] = page["examples"]["gains"], page["examples"]["loses"]
    assert (gains["user_id"], gains["our_rank"], gains["their_rank"]) == ("u4", 1, 30)
    assert (loses["user_id"], loses["our_rank"], loses["their_rank"]) == ("u9", 8, 1)
    assert gains["user_gain"] == 1.0
    # lists of ten that are shifted by five have five new items
    assert sum(entry["changed"] for entry in gains["ours"]) == 5
    assert [entry["title"] for entry in gains["theirs"] if entry["is_target"]] == ["Film <4>"]


def test_the_drawn_users_are_the_same_each_time() -> None:
    first, second = (contents(stored(), None)["examples"]["drawn"] for _ in range(2))
    assert first == second
    assert len({example["user_id"] for example in first}) == 20


def test_lists_are_described_by_hand_worked_figures() -> None:
    # item 1 is the most popular of four, item 3 the least
    character = list_character(np.array([[1, 0], [1, -1]]), np.array([2, 5, 1, 0]))
    assert character.coverage == 0.5
    assert character.popularity_rank == pytest.approx((1 + 2 + 1) / 3)
    # exposures 0, 0, 1, 2: (2 * (1*0 + 2*0 + 3*1 + 4*2) - 5 * 3) / (4 * 3)
    assert character.gini == pytest.approx(7 / 12)
    # shares (2+1)/12 and (5+1)/12: 2 and 1 bits
    assert character.novelty == pytest.approx((1.5 + 1) / 2)
