"""What a search of hyperparameters prints; its command line repeats the best trial."""

import shlex
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from components.train_interest_model.auto_hyperparameters import Statistics, resolve
from components.train_interest_model.hyperparameters import Hyperparameters
from pipelines.benchmark.plan import Plan
from pipelines.benchmark.tuning_results import tuning_tables
from pipelines.cli import app
from pipelines.commands.errors import WRONG_USE
from pipelines.errors import RunError

DEFAULTS = {"units": 32, "dropout": 0.3}


def trial(number: int, value: float | None, state: str = "complete", **changes: Any) -> dict[str, Any]:
    hyperparameters = DEFAULTS | changes
    return {"number": number, "state": state, "value": value, "epochs": 3, "hyperparameters": hyperparameters}


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """The plans that `penchant benchmark` is to run, which end it."""
    found: list[Plan] = []

    def run(plan: Plan, *_: Any) -> None:
        found.append(plan)
        raise RunError("noted")

    monkeypatch.setattr("pipelines.benchmark.benchmark.run_benchmark", run)
    monkeypatch.setattr("pipelines.benchmark.benchmark.run_tuning", run)
    return found


def printed(plan: Plan, *trials: dict[str, Any]) -> str:
    console = Console(width=120)
    with console.capture() as capture:
        study = {"defaults": DEFAULTS, "trials": list(trials)}
        console.print(*tuning_tables(plan, study), sep="\n", soft_wrap=True)
    return capture.get()


@pytest.mark.parametrize(
    "options",
    [
        "movielens-100k",
        "movielens-1m --protocol time --set members=2",
        "--interactions {file} --items {file} --min-interactions 0 --keep-seen --set encoder=gru",
        "--interactions {file} --positive buy=3,save --negative 'sent back' --exposure ad --min-value 3",
        "movielens-100k --by-value",
    ],
)
def test_the_printed_command_line_has_the_plan_with_the_best_hyperparameters(
    options: str, plans: list[Plan], tmp_path: Path
) -> None:
    (tmp_path / "a b.csv").touch()
    words = shlex.split(options.format(file=shlex.quote(str(tmp_path / "a b.csv"))))
    CliRunner().invoke(app, ["benchmark", *words, "--tune", "5"])
    (plan,) = plans
    output = printed(plan, trial(0, 0.1), trial(1, 0.12, units=64, dropout=0.123))
    (line,) = [line for line in output.splitlines() if line.startswith("  penchant benchmark ")]
    CliRunner().invoke(app, shlex.split(line)[1:])
    _, repeated = plans
    assert repeated.hyperparameters == plan.hyperparameters | {"units": 64, "dropout": 0.123}
    assert repeated == Plan(**{**vars(plan), "hyperparameters": repeated.hyperparameters})


def test_the_printed_command_line_repeats_a_trial_with_a_default_that_depends_on_another(
    plans: list[Plan],
) -> None:
    CliRunner().invoke(app, ["benchmark", "movielens-100k", "--tune", "5"])
    defaults = trial(0, 0.1, embedding_size=64)
    best = trial(1, 0.12, embedding_size=32)  # with units=32, where those of the statistics would be 64
    output = printed(plans[0], defaults, best)
    (line,) = [line for line in output.splitlines() if line.startswith("  penchant benchmark ")]
    CliRunner().invoke(app, shlex.split(line)[1:])
    requested = Hyperparameters.from_dict(plans[1].hyperparameters)
    resolved, _ = resolve(requested, Statistics(100_000, 900, 1_700, 100.0, 0.0))
    assert (resolved.embedding_size, resolved.units) == (32, 32)


def test_trials_are_listed_by_accuracy_with_their_changes(plans: list[Plan]) -> None:
    CliRunner().invoke(app, ["benchmark", "movielens-100k", "--tune", "5"])
    output = printed(
        plans[0],
        trial(0, 0.1),
        trial(1, 0.09, units=16),
        trial(2, 0.11, dropout=0.1),
        trial(3, 0.2, "pruned"),
    )
    rows = [line for line in output.splitlines() if line.startswith("│")]
    assert [row.split("│")[1].strip() for row in rows] == ["2", "0", "1", "3"]
    assert "dropout=0.1" in rows[0]
    assert "none: the default values" in rows[1]
    assert (
        "Trial 2 has the best NDCG@10 on the validation split, +10.0% against the default values." in output
    )


def test_defaults_that_no_trial_beats_are_told(plans: list[Plan]) -> None:
    CliRunner().invoke(app, ["benchmark", "movielens-100k", "--tune", "5"])
    output = printed(plans[0], trial(0, 0.1), trial(1, 0.09, units=16))
    assert "No trial is better than the default values." in output
    assert "penchant benchmark movielens-100k --all-positive\n" in output


def test_a_search_takes_some_time() -> None:
    result = CliRunner().invoke(app, ["benchmark", "movielens-100k", "--tune", "0"])
    assert result.exit_code == WRONG_USE
    assert "--tune=0: expected minutes above 0" in result.output


def test_a_search_takes_no_tie_orders() -> None:
    result = CliRunner().invoke(app, ["benchmark", "movielens-100k", "--tune", "5", "--tie-orders", "2"])
    assert result.exit_code == WRONG_USE
    assert "--tune takes no --tie-orders" in result.output
