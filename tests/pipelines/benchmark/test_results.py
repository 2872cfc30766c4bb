"""The document of a benchmark, worked by hand."""

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pipelines.benchmark.results import MODELS, StepCost, results, shown, write_json
from pipelines.benchmark.steps import Plan

GB = 10**9
COSTS = [
    StepCost("prepare", None, 99.0, 9 * GB),
    StepCost("filters", None, 10.0, 1 * GB),
    StepCost("train", 7, 20.0, 3 * GB),
    StepCost("evaluate", 7, 4.0, 2 * GB),
    StepCost("train", 8, 40.0, 2 * GB),
    StepCost("evaluate", 8, 6.0, 2 * GB),
]


def plan(dataset: str = "movielens-1m", protocol: str = "leave-one-out", seen: str = "filter") -> Plan:
    return Plan(dataset, "", "", 5, protocol, {"seen_items": seen})


def evaluation(hr: float, ndcg: float) -> dict[str, Any]:
    figures = {"hr_at_10": {"value": hr, "low": 0.0}, "ndcg_at_10": {"value": ndcg}}
    return {
        "seen_items": "filter",
        "rules": {"candidates": "every item", "ties": "against the model", "seen items": "left out"},
        "counts": {"validation_queries": 6040, "test_queries": 6039, "test_targets_seen_before": 0},
        "models": dict.fromkeys(MODELS, figures),
        "drift": {"steps": [0, 1], "item_groups": "", "kinds": {}, "why": "Drift was not measured."},
    }


def document(asked: Plan, evaluations: list[dict[str, Any]], commit: str | None = "abc") -> dict[str, Any]:
    seeds = [7, 8][: len(evaluations)]
    costs = [cost for cost in COSTS if cost.seed in (None, *seeds)]
    data = {"interactions": 999_611, "users": 6_040, "items": 3_416}
    return results(asked, seeds, evaluations, costs, data, commit)


def printed(document: dict[str, Any]) -> str:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(*shown(document))
    return capture.get()


def test_mean_and_spread_are_over_the_seeds() -> None:
    metrics = document(plan(), [evaluation(0.2, 0.1), evaluation(0.4, 0.1)])["models"]["served"]["metrics"]

    assert metrics["hr_at_10"]["mean"] == pytest.approx(0.3)
    # The sample standard deviation: sqrt((0.1² + 0.1²) / (2 - 1)).
    assert metrics["hr_at_10"]["spread"] == pytest.approx(0.02**0.5)
    assert metrics["hr_at_10"]["values"] == [0.2, 0.4]
    assert metrics["ndcg_at_10"]["spread"] == 0


def test_one_seed_has_no_spread() -> None:
    found = document(plan(), [evaluation(0.2, 0.1)])

    assert found["models"]["served"]["metrics"]["hr_at_10"]["spread"] is None
    assert "±" not in printed(found).split("seeds")[0]


def test_a_model_costs_what_the_steps_that_make_it_cost() -> None:
    models = document(plan(), [evaluation(0.2, 0.1)] * 2)["models"]

    # The filters once, a training and an evaluation of each seed by their means; the largest memory.
    assert models["served"]["seconds"] == 10 + 30 + 5
    assert models["interest"]["seconds"] == 30
    assert models["transitions"]["seconds"] == 10
    assert [models[name]["peak_memory_bytes"] // GB for name in MODELS] == [3, 3, 1, 1]


def test_published_figures_stand_only_beside_their_own_protocol() -> None:
    alike = document(plan(), [evaluation(0.2, 0.1)])

    assert [entry["model"] for entry in alike["published"]][-1] == "HSTU-large"
    assert "arXiv:2402.17152" in printed(alike)
    for other in (plan("movielens-100k"), plan(protocol="time"), plan(seen="keep")):
        unlike = document(other, [evaluation(0.2, 0.1)])
        assert unlike["published"] == []
        assert "no published figure of this protocol" in printed(unlike)


def test_the_table_tells_split_seeds_and_commit() -> None:
    told = printed(document(plan(), [evaluation(0.2, 0.1), evaluation(0.4, 0.1)]))

    for part in (
        "0.3000 ± 0.1414",
        "6,039 test",
        "3,416 items",
        "seeds 7, 8",
        "commit abc",
        "3.00 GB",
        "Drift was not",
    ):
        assert part in told


def test_the_file_is_written_whole_and_again(tmp_path: Path) -> None:
    file = tmp_path / "new/figures.json"
    for commit in ("one", None):
        write_json(document(plan(), [evaluation(0.2, 0.1)], commit), file)

    assert json.loads(file.read_text())["commit"] is None
    assert [path.name for path in file.parent.iterdir()] == ["figures.json"]
