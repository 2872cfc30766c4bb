"""The dossier in a terminal: the verdict first, worse slices marked, text from data as it is."""

import pytest

from components.evaluate_release.dossier.contents import contents
from components.evaluate_release.dossier.registered import Dossier
from pipelines.commands.tables.dossiers import dossier_tables
from pipelines.terminal import Terminal
from tests.components.evaluate_release.dossier.stored import facts, stored
from tests.components.evaluate_release.dossier.test_page import CLICKS, page


def printed(dossier: Dossier, width: int = 200) -> str:
    console = Terminal(width=width)
    with console.capture() as capture:
        for part in dossier_tables(dossier):
            console.print(part)
    return capture.get()


@pytest.fixture(scope="module")
def shown() -> str:
    changed = {"epochs": "2", "seed": "7"}
    return printed(Dossier(7, page(hyperparameters=changed)))


def test_the_verdict_comes_first_and_what_to_look_at_after_it(shown: str) -> None:
    lines = shown.splitlines()
    assert lines[0].strip() == "Not shown to be better than the live version"
    assert "• Significantly worse than live version 6: all queries; half first; half second." in shown
    assert "penchant review approve 7" in shown


def test_each_part_of_the_page_is_a_table(shown: str) -> None:
    for title in (
        "NDCG@10 against live version 6",
        "NDCG@10 on all test queries; difference to transition counts",
        "What is recommended",
        "What changed in the data",
        "Drift of the distributions",
        "Rows that the validation set aside",
        "What users get: version 7 beside live version 6",
        "What it costs to serve",
        "How it was made",
    ):
        assert title in shown, title
    assert "Film <4>" in shown
    lines = [line.split() for line in shown.splitlines()]
    first = lines[lines.index(["by", "half"]) + 1]
    assert first[:2] == ["first", "40"]
    assert "▼" in first
    [epochs] = [line.split("│") for line in shown.splitlines() if "epochs" in line and "│" in line]
    assert [cell.strip() for cell in epochs if cell.strip()] == ["epochs", "8", "2"]


def test_a_first_release_is_shown_without_a_version_before() -> None:
    shown = printed(Dossier(1, contents(stored(gate=facts()["gate"] | {"outcome": "better"}), None)))
    assert shown.splitlines()[0].strip() == "Better than the best baseline"
    assert "against live" not in shown
    assert "Drift of the distributions" not in shown


def test_estimated_clicks_are_a_table() -> None:
    text = printed(Dossier(7, page(clicks=CLICKS)))
    title = "Clicks per answer, estimated from 1,200 explored answers of the scenario explore, worth 310 of"
    assert title in " ".join(text.split())
    assert "│ SNIPS    │    0.230 │ 0.200 to 0.260 │                   -0.010 to +0.050 │" in text
    assert "Clicks per answer" not in printed(Dossier(7, page(clicks={"refused": "no scenario explores"})))
