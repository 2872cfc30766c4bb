"""`penchant benchmark` on a small shop: its figures equal those counted from the CSV file."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from pipelines.benchmark.benchmark import ONCE, PER_SEED
from pipelines.cli import app
from pipelines.commands.errors import FAILED, WRONG_USE
from tests.end_to_end.shop import write_shop

QUICK = ["epochs=2", "embedding_size=8", "units=8"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["benchmark", *arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("benchmark")


@pytest.fixture(scope="module")
def interactions(folder: Path) -> Path:
    """The shop, and a user outside the 5-core: the only buyer of one item, with two purchases."""
    files = write_shop(folder)
    rare = "\n".join(f"passer-by,rare,purchase,2026-01-0{day}T00:00:00+00:00" for day in (1, 2))
    files["interactions"].write_text(files["interactions"].read_text() + rare + "\n")
    return files["interactions"]


@pytest.fixture(scope="module")
def result(folder: Path, interactions: Path) -> Result:
    sets = [argument for pair in QUICK for argument in ("--set", pair)]
    files = ["--interactions", str(interactions), "--items", str(folder / "items.csv")]
    (folder / "tmp").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PENCHANT_HOME", str(folder / "home"))
        # Other backends of Keras, which are not installed: the training must not use them.
        patch.setenv("KERAS_BACKEND", "jax")
        patch.setenv("TF_USE_LEGACY_KERAS", "1")
        patch.setattr(tempfile, "tempdir", str(folder / "tmp"))
        return run(*files, "--seeds", "1", "--json", str(folder / "figures.json"), *sets)


@pytest.fixture(scope="module")
def document(folder: Path, result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    results: dict[str, Any] = json.loads((folder / "figures.json").read_text())
    return results


def popularity_hr_at_10(interactions: Path, held_out: int) -> float:
    """HR@10 of the most popular items, leave-one-out: seen items filtered, a tie counts as a miss.

    The popularity is that of all interactions but the last `held_out` of each user.
    """
    purchases = pd.read_csv(interactions).query("user_id != 'passer-by'").sort_values("timestamp")
    items = purchases.groupby("user_id")["item_id"].apply(list)
    by_user = pd.concat([pd.Series(history[:-held_out]).value_counts() for history in items])
    counts = (by_user.apply(np.log) + 1).groupby(level=0).sum().astype(np.float32)
    hits = [
        history[-1] not in history[:-1]
        and (counts.drop(history[:-1], errors="ignore") >= counts[history[-1]]).sum() <= 10
        for history in items
    ]
    return float(np.mean(hits))


def test_hit_rate_equals_the_one_counted_from_the_file(document: dict[str, Any], interactions: Path) -> None:
    popularity = document["models"]["popularity"]
    for part, held_out in (("metrics", 2), ("refitted", 1)):
        expected = popularity_hr_at_10(interactions, held_out)
        assert expected > 0
        assert popularity[part]["hr_at_10"]["mean"] == pytest.approx(expected)
    assert popularity["metrics"] != popularity["refitted"]


def test_only_the_k_core_is_evaluated(document: dict[str, Any]) -> None:
    assert document["data"] == {"interactions": 1440, "items": 24, "users": 60}
    assert document["counts"]["test_queries"] == document["counts"]["validation_queries"] == 60


def test_the_table_equals_the_json_file(document: dict[str, Any], result: Result) -> None:
    for model in document["models"].values():
        rows = [line for line in result.output.splitlines() if line.startswith(f"│ {model['title']}")]
        first, second = ([cell.strip() for cell in row.strip("│").split("│")] for row in rows[:2])
        before, refitted = (
            [f"{model[part][name]['mean']:.4f}" for name in ("hr_at_10", "ndcg_at_10")]
            for part in ("metrics", "refitted")
        )
        memory = f"{model['peak_memory_bytes'] / 1e9:.2f} GB"
        assert first == [model["title"], *before, f"{model['seconds']:.0f}", memory]
        assert second == [model["title"], *refitted]


def test_each_step_has_a_time_and_a_peak_memory_of_its_own(document: dict[str, Any]) -> None:
    steps = {step["step"]: step for step in document["steps"]}

    assert [step["step"] for step in document["steps"]] == [*ONCE, *PER_SEED]
    assert steps["train"]["seed"] == document["seeds"][0]
    # TensorFlow alone needs more memory than the filters.
    assert steps["train"]["peak_memory_bytes"] > steps["filters"]["peak_memory_bytes"] > 10_000_000
    assert all(step["seconds"] > 0 for step in document["steps"])


def test_progress_is_printed_and_no_file_is_left(result: Result, folder: Path) -> None:
    assert "  5-core: 1,440 interactions" in result.output
    assert "✓ Train interest model, seed 7" in result.output
    assert list((folder / "tmp").iterdir()) == []
    assert list((folder / "home" / "benchmark").iterdir()) == []


def test_peak_memory_excludes_the_parent_process() -> None:
    ballast = bytearray(400_000_000)
    code = "from pipelines.peak_memory import peak_memory; print(peak_memory())"

    child = int(subprocess.check_output([sys.executable, "-c", code], text=True))

    assert 1_000_000 < child < len(ballast)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give one of movielens-100k, movielens-1m, or your own"),
        (["movielens-100k", "--interactions", "y.csv"], "not both"),
        (["netflix"], "unknown data set 'netflix'"),
        (["movielens-100k", "--items", "x.csv"], "--items needs --interactions"),
        (["--interactions", "absent.csv"], "file not found: absent.csv"),
        (["movielens-100k", "--set", "seed=3"], "use --seeds"),
        (["movielens-100k", "--set", "seen_items=keep"], "--keep-seen"),
        (["movielens-100k", "--seeds", "0"], "--seeds"),
        (["movielens-100k", "--by-value", "--tie-orders", "5"], "--tie-orders needs --all-positive"),
    ],
)
def test_a_wrong_option_is_reported_with_the_right_one(arguments: list[str], message: str) -> None:
    result = run(*arguments)

    assert result.exit_code == WRONG_USE
    assert message in " ".join(result.output.split())


def test_a_failed_step_is_reported_with_what_to_do(folder: Path, interactions: Path) -> None:
    result = run("--interactions", str(interactions), "--min-interactions", "2000")

    assert result.exit_code == FAILED
    output = " ".join(result.output.split())
    assert "Prepare the data failed: the 2000-core of 1,442 interactions is empty" in output
    assert "Traceback" not in result.output
