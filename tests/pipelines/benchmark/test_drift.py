"""Interest drift in a benchmark, checked against examples calculated by hand."""

from typing import Any

import pytest

from pipelines.benchmark.drift import drift_tables, mean_drift
from pipelines.terminal import Terminal


def evaluation(
    share: float, median: int | None, followed: float, *, simulated: bool = True
) -> dict[str, Any]:
    model = {
        "share": [0.0, share],
        "hit_rate": [0.0, share / 2],
        "interactions_to_follow": median,
        "followed": followed,
    }
    kind = {"users": 90, "left_out": 10, "base_rate": 0.1, "pairs": {}, "models": {"served": model}}
    kinds = {"real": kind} | ({"simulated": kind} if simulated else {})
    why = "" if simulated else "not measured on simulated users."
    return {"drift": {"steps": [0, 5], "item_groups": "categories", "kinds": kinds, "why": why}}


def printed(drift: dict[str, Any]) -> str:
    console = Terminal(width=160)
    with console.capture() as capture:
        console.print(*drift_tables(drift, {"served": "with reranking"}))
    return capture.get()


def test_shares_are_means_over_the_seeds_and_counts_are_listed() -> None:
    drift = mean_drift([evaluation(0.4, None, 0.5), evaluation(0.6, 5, 0.7)])
    served = drift["kinds"]["real"]["models"]["served"]

    assert served["share"] == pytest.approx([0, 0.5])
    assert served["hit_rate"] == pytest.approx([0, 0.25])
    assert served["followed"] == pytest.approx(0.6)
    assert served["interactions_to_follow"] == [None, 5]
    output = printed(drift)
    for part in (
        "with reranking",
        "90 real users",
        "90 simulated users",
        "> 5/5",
        "50",
        "60%",
        "Base rate: 10%",
    ):
        assert part in output


def test_a_kind_of_users_that_a_seed_did_not_measure_is_left_out_with_the_reason() -> None:
    drift = mean_drift([evaluation(0.4, 5, 0.5), evaluation(0.6, 5, 0.7, simulated=False)])

    assert list(drift["kinds"]) == ["real"]
    assert "not measured on simulated users." in printed(drift)
