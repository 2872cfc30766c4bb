"""The results of a benchmark, checked against examples calculated by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.benchmark.plan import Plan
from pipelines.benchmark.results import MODELS, StepCost, make_results, result_tables, write_json
from pipelines.terminal import Terminal

GB = 10**9
COSTS = [
    StepCost("prepare", None, 99.0, 9 * GB),
    StepCost("filters", None, 10.0, 1 * GB),
    StepCost("train", 7, 20.0, 3 * GB),
    StepCost("evaluate", 7, 4.0, 2 * GB),
    StepCost("train", 8, 40.0, 2 * GB),
    StepCost("evaluate", 8, 6.0, 2 * GB),
]


def plan(
    dataset: str = "movielens-1m",
    protocol: str = "leave-one-out",
    seen: str = "filter",
    all_positive: bool = True,
) -> Plan:
    return Plan(dataset, "", "", 5, protocol, {"seen_items": seen}, {"all_positive": all_positive})


def evaluation(hr: float, ndcg: float) -> dict[str, Any]:
    figures = {"hr_at_10": {"value": hr, "low": 0.0}, "ndcg_at_10": {"value": ndcg}}
    return {
        "seen_items": "filter",
        "rules": {"candidates": "every item", "ties": "against the model", "seen items": "left out"},
        "counts": {"validation_queries": 6040, "test_queries": 6039, "test_targets_seen_before": 0},
        "models": dict.fromkeys(MODELS, figures),
        "refitted": {model: {name: {"value": 0.15} for name in figures} for model in MODELS},
        "drift": {"steps": [0, 1], "item_groups": "", "kinds": {}, "why": "Drift was not measured."},
    }


def results(
    benchmark_plan: Plan, evaluations: list[dict[str, Any]], commit: str | None = "abc"
) -> dict[str, Any]:
    seeds = [7, 8][: len(evaluations)]
    costs = [cost for cost in COSTS if cost.seed in (None, *seeds)]
    data = {"interactions": 999_611, "users": 6_040, "items": 3_416}
    return make_results(benchmark_plan, seeds, evaluations, costs, data, commit)


def printed(document: dict[str, Any]) -> str:
    console = Terminal(width=200)
    with console.capture() as capture:
        console.print(*result_tables(document))
    return capture.get()


def test_mean_and_spread_are_over_the_seeds() -> None:
    models = results(plan(), [evaluation(0.2, 0.1), evaluation(0.4, 0.1)])["models"]
    metrics = models["served"]["metrics"]

    assert metrics["hr_at_10"]["mean"] == pytest.approx(0.3)
    # The sample standard deviation: sqrt((0.1² + 0.1²) / (2 - 1)).
    assert metrics["hr_at_10"]["spread"] == pytest.approx(0.02**0.5)
    assert metrics["hr_at_10"]["values"] == [0.2, 0.4]
    assert metrics["ndcg_at_10"]["spread"] == 0
    assert models["served"]["refitted"]["hr_at_10"]["values"] == [0.15, 0.15]


def test_the_spread_over_tie_orders_is_of_the_means_over_the_seeds() -> None:
    # Two orders with two seeds each: means 0.2 and 0.4.
    evaluations = [evaluation(hr, 0.1) for hr in (0.1, 0.3, 0.3, 0.5)]
    data = {"interactions": 999_611, "users": 6_040, "items": 3_416}

    document = make_results(plan(), [7, 8], evaluations, [*COSTS, *COSTS], data, "abc")

    ties = document["tie_orders"]
    assert ties["orders"] == 2
    assert ties["hr_at_10"]["values"] == pytest.approx([0.2, 0.4])
    assert ties["hr_at_10"]["spread"] == pytest.approx(0.02**0.5)
    assert "2 random orders; over them, with reranking, HR@10 0.3000 ± 0.1414 (47.1%)" in printed(document)
    assert document["models"]["served"]["seconds"] == 10 + 30 + 5
    assert results(plan(), [evaluation(0.2, 0.1)])["tie_orders"] is None


def test_one_seed_has_no_spread() -> None:
    document = results(plan(), [evaluation(0.2, 0.1)])

    assert document["models"]["served"]["metrics"]["hr_at_10"]["spread"] is None
    assert "±" not in printed(document).split("Seeds")[0]


def test_the_cost_of_a_model_is_that_of_its_steps() -> None:
    models = results(plan(), [evaluation(0.2, 0.1)] * 2)["models"]

    # Seconds: the filters once, plus the means of training and evaluation. Memory: the maximum.
    assert models["served"]["seconds"] == 10 + 30 + 5
    assert models["interest"]["seconds"] == 30
    assert models["transitions"]["seconds"] == 10
    assert [models[name]["peak_memory_bytes"] // GB for name in MODELS] == [3, 3, 1, 1]


def test_published_results_are_shown_for_the_same_protocol_only() -> None:
    same = results(plan(), [evaluation(0.2, 0.1)])

    assert [entry["model"] for entry in same["published"]][-1] == "HSTU-large with mixture of logits"
    assert "arXiv:2407.15462" in printed(same)
    others = (plan("movielens-100k"), plan(protocol="time"), plan(seen="keep"), plan(all_positive=False))
    for other_plan in others:
        different = results(other_plan, [evaluation(0.2, 0.1)])
        assert different["published"] == []
        assert "There are no published results" in printed(different)


@pytest.mark.parametrize(
    ("all_positive", "words"),
    [(True, "every interaction counts as positive, and equal times"), (False, "only positive")],
)
def test_the_output_states_which_feedback_counts(all_positive: bool, words: str) -> None:
    document = results(plan(all_positive=all_positive), [evaluation(0.2, 0.1)])

    assert document["all_positive"] == all_positive
    assert words in printed(document)


def test_the_output_states_split_seeds_and_commit() -> None:
    output = printed(results(plan(), [evaluation(0.2, 0.1), evaluation(0.4, 0.1)]))

    for part in (
        "0.3000 ± 0.1414",
        "6,039 test",
        "3,416 items",
        "Seeds: 7, 8",
        "Commit: abc",
        "3.00 GB",
        "Drift was not",
        "0.1500 ± 0.0000",
    ):
        assert part in output


def test_write_json_replaces_the_file_and_leaves_no_other(tmp_path: Path) -> None:
    file = tmp_path / "new/figures.json"
    for commit in ("one", None):
        write_json(results(plan(), [evaluation(0.2, 0.1)], commit), file)

    assert json.loads(file.read_text())["commit"] is None
    assert [path.name for path in file.parent.iterdir()] == ["figures.json"]
