"""A benchmark that failed goes on with the missing seeds; with other options, data or code it begins anew."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from components import code_version
from pipelines.benchmark import benchmark, kept_seeds
from pipelines.benchmark.benchmark import ONCE, PER_SEED
from pipelines.benchmark.kept_seeds import KeptSeeds
from pipelines.benchmark.plan import Plan
from pipelines.benchmark.results import StepCost
from pipelines.cli import app
from pipelines.commands.errors import FAILED
from pipelines.errors import RunError
from tests.pipelines.benchmark.test_results import evaluation

PLAN = Plan("", "", "", 5, "time", {}, {})


@dataclass
class Steps:
    """Stands in for the processes of the steps: seed 8 fails while `is_faulty`."""

    is_faulty: bool = True
    done: list[tuple[str, int | None]] = field(default_factory=list)

    def run(self, home: Path, step: str, seed: int | None) -> StepCost:
        if step == "train" and seed == 8 and self.is_faulty:
            raise RunError("Train interest model, seed 8 failed: no memory")
        if step == "prepare":
            (home / "core").mkdir()
            counts = {"interactions": 30, "items": 2, "users": 3}
            (home / "core/counts.json").write_text(json.dumps(counts))
        if step == "evaluate":
            assert seed
            (home / f"evaluation-{seed}").mkdir()
            (home / f"evaluation-{seed}/metrics.json").write_text(json.dumps(evaluation(seed / 10, 0.1)))
        if step == "evaluate_refit":
            (home / f"refitted-{seed}.json").write_text(json.dumps(evaluation(0.2, 0.1)["refitted"]))
        self.done.append((step, seed))
        return StepCost(step, seed, 10.0 * len(self.done), 10**9)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Steps:
    stand_in = Steps()

    class Runner:
        def __init__(self, home: Path, *_: Any) -> None:
            self.home = home

        def __call__(self, step: str, seed: int | None = None) -> StepCost:
            return stand_in.run(self.home, step, seed)

    monkeypatch.setattr(benchmark, "_StepRunner", Runner)
    monkeypatch.setenv("PENCHANT_HOME", str(tmp_path / "home"))
    return stand_in


def run(*options: str) -> Result:
    return CliRunner().invoke(app, ["benchmark", "movielens-100k", *options])


def test_the_same_command_trains_the_missing_seeds_alone(steps: Steps, tmp_path: Path) -> None:
    failed = run("--json", str(tmp_path / "failed.json"))
    assert failed.exit_code == FAILED
    assert "kept" not in failed.stdout
    first = [*((step, None) for step in ONCE), *((step, 7) for step in PER_SEED)]
    assert steps.done == first

    steps.is_faulty = False
    steps.done.clear()
    resumed = run("--json", str(tmp_path / "figures.json"))
    assert resumed.exit_code == 0, resumed.output
    kept = tmp_path / "home" / "benchmark"
    assert f"Not trained again, seed 7: kept in {kept}" in resumed.stdout.replace("\n", "")
    assert ("train", 7) not in steps.done
    assert [seed for step, seed in steps.done if step == "train"] == [8, 9]

    document = json.loads((tmp_path / "figures.json").read_text())
    assert document["models"]["served"]["metrics"]["hr_at_10"]["values"] == [0.7, 0.8, 0.9]
    done = [(cost["step"], cost["seed"]) for cost in document["steps"]]
    assert done[: len(first)] == first
    assert [seed for step, seed in done if step == "train"] == [7, 8, 9]
    assert document["steps"][3]["seconds"] == 40  # as the first command measured it
    assert document["data"]["users"] == 3


def test_results_that_could_not_be_written_are_not_measured_again(steps: Steps, tmp_path: Path) -> None:
    steps.is_faulty = False
    (tmp_path / "file").touch()
    options = ("--seeds", "1", "--tie-orders", "2")
    assert run(*options, "--json", str(tmp_path / "file" / "figures.json")).exit_code == FAILED
    assert len(steps.done) == 2 * len(ONCE + PER_SEED)
    steps.done.clear()
    assert run(*options).exit_code == 0
    assert steps.done == []


def test_results_that_are_written_leave_nothing(steps: Steps, tmp_path: Path) -> None:
    steps.is_faulty = False
    assert run().exit_code == 0
    assert list((tmp_path / "home" / "benchmark").iterdir()) == []


def test_other_options_data_or_code_have_seeds_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "shop" / "interactions.csv"
    file.parent.mkdir()
    file.write_text("user_id,item_id,timestamp\n")
    plan = replace(PLAN, interactions_file=str(file.parent))

    def folder(of: Plan = plan) -> Path:
        return KeptSeeds.of(of, tmp_path).folder

    first = folder()
    assert folder() == first
    folders = {first, folder(replace(plan, protocol="leave-one-out"))}
    file.write_text("user_id,item_id,timestamp\nu,i,1\n")
    folders.add(folder())
    file.rename(file.with_name("2024.csv"))  # names of folders can be columns
    folders.add(folder())
    (tmp_path / "shop.toml").write_text("delimiter = ','\n")  # says how to read it
    folders.add(folder())
    monkeypatch.setattr(kept_seeds, "code_digest", lambda: "changed")
    folders.add(folder())
    assert len(folders) == 6


def test_the_digest_of_the_code_is_that_of_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "serving" / "api" / "limits.py"
    module.parent.mkdir(parents=True)
    monkeypatch.setattr(code_version, "__file__", str(tmp_path / "components" / "code_version.py"))
    module.write_text("LIMIT = 1\n")
    first = code_version.code_digest()
    assert code_version.code_digest() == first
    module.write_text("LIMIT = 2\n")
    second = code_version.code_digest()
    module.with_name("scenarios.toml").touch()
    assert len({first, second, code_version.code_digest()}) == 3
