"""The model card and the page for users say what the facts of a version say."""

import json
from types import SimpleNamespace
from typing import Any

from components.evaluate_release.dossier.contents import contents
from components.evaluate_release.dossier.facts import fairness_of
from components.evaluate_release.dossier.model_card import PARAMETERS, model_card, user_page
from components.evaluate_release.dossier.page import ORIGIN_ROWS
from components.evaluate_release.metrics.slices import Slice
from components.fairness_policy import NO_LIMITS
from components.metrics.fairness import Fairness
from components.model_names import SERVED
from serving.ranking.blend_features import FEATURES
from tests.components.evaluate_release.dossier.stored import stored

ABLATION = {
    "queries": 500,
    "ndcg_at_10": 0.2,
    "hr_at_10": 0.31,
    "without": {
        "interest": {"ndcg_at_10": 0.1, "hr_at_10": 0.2},
        "ease": {"ndcg_at_10": 0.17, "hr_at_10": 0.309},
        "popularity": {"ndcg_at_10": 0.19, "hr_at_10": 0.3},
        "als": {"ndcg_at_10": 0.195, "hr_at_10": 0.31},
        "trend": {"ndcg_at_10": 0.21, "hr_at_10": 0.32},
    },
}
FIGURE = {"value": 0.2, "low": 0.1, "high": 0.3}
FAIRNESS: dict[str, Any] = {
    "gaps": [
        {
            "attribute": "gender",
            "metric": "NDCG@10",
            "best": "M",
            "worst": "F",
            "best_value": 0.3,
            "worst_value": 0.1,
            "low": 0.1,
            "high": 0.3,
            "p_value": 0.001,
        }
    ],
    "groups": [
        {"attribute": "gender", "label": "F|<b>", "queries": 90, "ndcg_at_10": FIGURE, "hr_at_10": FIGURE}
    ],
    "providers": [],
    "provider_column": "",
    "exposure_gap": None,
}


def page(**changes: Any) -> dict[str, Any]:
    return json.loads(json.dumps(contents(stored(**changes), None)))


def test_a_card_has_data_accuracy_by_group_limits_privacy_and_approval() -> None:
    notes = ["there are no intervals: 3 of at least 30 users have test queries"]
    card = model_card(
        page(ablation=ABLATION, fairness=FAIRNESS, privacy={"pseudonyms": True}, notes=notes),
        7,
        [{"at": "2026-11-28T12:30:00", "act": "approved", "by": "ann", "reason": "it is *better*"}],
        [3],
    )
    order = ["# Model card: version 7", "interest, ease, popularity", "## Data", "| interactions | 1,000, "]
    order += ["view 90 %, purchase 10 %", "4 rows: timestamp is in the future", "## Accuracy"]
    order += ["| Served ranking | 0.2000 (0.1000 to 0.3000)", "### By groups of users"]
    order += ["| gender F\\|\\<b\\> | 90 |", "a gap that chance does not explain (p = 0.001)", "## Limits"]
    order += ["- There are no intervals", "## Privacy", "replaced by a keyed pseudonym", "(receipts 3)"]
    order += [
        "## How it was approved",
        "policy review",
        "- 2026-11-28 12:30 UTC: approved by ann: it is \\*better\\*",
    ]
    order += ["## Origin", "| epochs | 8 |"]
    found = [card.index(words) for words in order]
    assert found == sorted(found)
    lines = card.splitlines()
    headings = [number for number, line in enumerate(lines) if number and line.startswith("#")]
    assert {lines[number - 1] for number in headings} == {""}


def test_a_group_of_few_users_is_left_out() -> None:
    def group(label: str, bounds: dict[str, float]) -> Slice:
        figure = {SERVED: 0.2}
        return Slice("user's zip code", label, 40, figure, figure, bounds, bounds, bounds, bounds)

    # Without the users that an interval needs, a slice has none.
    results: Any = SimpleNamespace(
        slices=[group("89073", {SERVED: 0.1}), group("90210", {})], fairness=Fairness([], [])
    )
    assert [row["label"] for row in fairness_of(results, NO_LIMITS)["groups"]] == ["89073"]


PAYLOAD = "<b>[x](http://evil.example)|`&lt;`"
ESCAPED = "\\<b\\>\\[x\\](http://evil.example)\\|\\`\\&lt;\\`"


def test_nothing_that_a_card_is_made_of_is_markup() -> None:
    facts = page(ablation=ABLATION, fairness=FAIRNESS)["facts"]
    gap = FAIRNESS["gaps"][0] | dict.fromkeys(("attribute", "metric", "best", "worst"), PAYLOAD)
    group = FAIRNESS["groups"][0] | {"attribute": PAYLOAD, "label": PAYLOAD}
    shares = dict.fromkeys(("catalog", "relevance", "exposure"), 0.1)
    fairness = FAIRNESS | {"gaps": [gap], "groups": [group], "provider_column": PAYLOAD}
    fairness["providers"] = [{"provider": PAYLOAD, "items": 3, "high": None} | shares]
    stored_page = page(
        ablation=ABLATION,
        fairness=fairness,
        gate=facts["gate"] | {"reason": PAYLOAD, "outcome": PAYLOAD, "policy": PAYLOAD},
        notes=[PAYLOAD],
        quarantine={PAYLOAD: 1},
        protocol=PAYLOAD,
        trained_until=PAYLOAD,
        hyperparameters={PAYLOAD: PAYLOAD},
        lineage=dict.fromkeys(facts["lineage"], PAYLOAD),
        data=facts["data"] | {name: {PAYLOAD: 1} for name in ("event_types", "values", "categories")},
    )
    decision = {"at": "2026-11-28T12:30:00", "act": PAYLOAD, "by": PAYLOAD, "reason": PAYLOAD}
    card = model_card(stored_page, 7, [decision])
    fields = 4 + 2 + 2 + 3 + 1 + 1 + 1 + 1 + 2 + len(ORIGIN_ROWS) + 3 + 3
    assert card.count(ESCAPED) == card.count("evil") == fields


def test_control_characters_of_a_card_are_shown_escaped() -> None:
    card = model_card(page(notes=["A\x1b]0;title\x07b"]), 7)
    assert r"A\\x1b\]0;title\\x07b" in card


def test_a_card_of_an_older_version_says_what_is_not_known() -> None:
    card = model_card(page())
    assert "# Model card: a candidate" in card
    assert "its parts were not measured" in card
    assert "It is not known whether the data had user ids or pseudonyms." in card
    assert "groups of users" not in card
    assert "as they came, without pseudonyms" in model_card(page(privacy={"pseudonyms": False}))
    assert "without differential privacy" in card


def test_a_card_states_the_privacy_of_data_that_was_drawn() -> None:
    point = {"epsilon": 4.0, "ndcg_at_10": 0.053, "popularity": 0.02, "noise": 0.002, "users": 6000.0}
    stated = {"pseudonyms": False, "epsilon": 4.0, "delta": 1e-5, "curve": [point]}
    card = model_card(page(privacy=stated))
    assert "| 4 | 0.0530 | 0.0200 | ± 0.0020 |" in card
    assert "drawn under differential privacy: epsilon 4,\ndelta 1e-05" in card
    assert "without differential privacy" not in card
    assert "that were drawn, none of them a person" in card
    assert "not how well it serves people" in card
    assert "what nobody was shown" not in card
    assert "The user ids of the data are those of drawn users." in card


def test_tables_of_a_card_are_not_broken_by_blank_lines() -> None:
    lines = model_card(page(ablation=ABLATION, fairness=FAIRNESS)).splitlines()
    rules = [number for number, line in enumerate(lines) if line.startswith("| ---")]
    assert len(rules) > 2
    for number in rules:
        assert lines[number - 1].startswith("|")
        assert lines[number + 1].startswith("|")
        assert lines[number - 2] == ""


def test_users_read_what_decides_in_the_order_of_the_ablation() -> None:
    text = user_page(page(ablation=ABLATION))
    assert "In 31.0 of 100" in text
    assert "| 1 | what you chose lately, and in which order | 20.0 of 100 |" in text
    assert "| 2 | how many people chose a thing | 30.0 of 100 |" in text
    assert f"| 3 | {PARAMETERS['ease']} | 30.9 of 100 |" in text
    assert PARAMETERS["als"] not in text  # as many choices are among the first ten without it
    assert PARAMETERS["trend"] not in text  # without it the recommendations are better
    assert "have not been measured" in user_page(page())
    assert "choices that people really made" in text
    drawn = user_page(page(ablation=ABLATION, privacy={"epsilon": 4.0, "delta": 1e-5}))
    assert "choices that were drawn at random" in drawn
    assert "people really made" not in drawn


def test_each_feature_that_can_decide_has_words_for_users() -> None:
    assert set(PARAMETERS) == set(FEATURES) - {"dislikes", "search"}
