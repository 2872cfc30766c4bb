"""The demo on a small shop: from training to the table of metrics, and the pages of its run."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from pipelines.cli import app
from tests.chromium import rendered_html

CATEGORIES = ("tea", "bolts")
ITEMS_PER_CATEGORY = 12
USERS = 30
INTERACTIONS_PER_USER = 14

QUICK = ("epochs=2", "embedding_size=8", "units=8", "xla=false")


def write_shop(folder: Path) -> dict[str, Path]:
    """Write CSV files: each user buys items of one category, mostly in the order of their numbers."""
    random = np.random.default_rng(7)
    start = pd.Timestamp("2026-01-01", tz="UTC")
    purchases = []
    for user in range(USERS):
        item = int(random.integers(ITEMS_PER_CATEGORY))
        for event in range(INTERACTIONS_PER_USER):
            step = 1 if random.random() < 0.8 else int(random.integers(ITEMS_PER_CATEGORY))
            item = (item + step) % ITEMS_PER_CATEGORY
            moment = start + pd.Timedelta(days=event, hours=user)
            purchases.append((f"u{user}", f"{CATEGORIES[user % 2]}-{item}", "purchase", moment.isoformat()))
    items = [
        (f"{category}-{number}", f"{category.title()} no. {number}", category)
        for category in CATEGORIES
        for number in range(ITEMS_PER_CATEGORY)
    ]
    tables = {
        "interactions": pd.DataFrame(purchases, columns=["user_id", "item_id", "event_type", "timestamp"]),
        "items": pd.DataFrame(items, columns=["item_id", "title", "categories"]),
    }
    files = {name: folder / f"{name}.csv" for name in tables}
    for name, table in tables.items():
        table.to_csv(files[name], index=False)
    return files


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def demo(home: Path) -> Result:
    files = write_shop(home)
    options = [option for name, file in files.items() for option in (f"--{name}", str(file))]
    options += [option for pair in QUICK for option in ("--set", pair)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "120")
        return CliRunner().invoke(app, ["demo", *options, "--home", str(home / "home")])


@pytest.fixture(scope="module")
def run(home: Path, demo: Result) -> Path:
    """The folder of the training run, the first of the demo's two."""
    assert demo.exit_code == 0, demo.output
    return min((home / "home/runs").glob("*/report.html")).parent


def test_the_demo_takes_every_step_in_order(demo: Result) -> None:
    assert demo.exit_code == 0, demo.output
    landmarks = [
        "Step 1 of 4",
        "✓ Register release",
        "Step 2 of 4",
        "version 1 is live",
        "Step 3 of 4",
        ", before",
        "recorded: user",
        "after the three interactions",
        "Step 4 of 4",
        "NDCG@10",
        "Next steps",
    ]
    rest = demo.output
    for landmark in landmarks:
        _, found, rest = rest.partition(landmark)
        assert found, landmark


def test_the_answer_follows_the_recorded_interactions(demo: Result) -> None:
    (line,) = (line for line in demo.output.splitlines() if " in the top 10: " in line)
    match = re.fullmatch(r"\w+ in the top 10: (\d+) items before, (\d+) after\.", line)
    assert match
    assert int(match[2]) > int(match[1])


def test_the_metrics_table_shows_every_model(demo: Result) -> None:
    table = demo.output.partition("Step 4 of 4")[2]
    cells = [line.strip("│").split("│") for line in table.splitlines() if line.startswith("│")]
    rows = {model.strip(): figures for model, *figures in cells}
    assert {"served", "interest", "transitions", "popularity"} <= rows.keys()
    for figures in rows.values():
        assert all(0 <= float(figure) <= 1 for figure in figures)


@pytest.mark.parametrize("page", ["report.html", "data_docs.html"])
def test_a_browser_renders_the_pages_of_the_run(run: Path, page: str) -> None:
    heading = re.search("<h1>.+?</h1>", (run / page).read_text(), re.DOTALL)
    assert heading

    # As source text the heading would be escaped: &lt;h1&gt;
    assert heading[0] in rendered_html(run / page)
