"""The searches of a query are the user's last ones before its cutoff."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from components.evaluate_release.data.searches import read_searches
from feature_repo.contract import MAX_SEARCHES
from feature_repo.interaction import Interaction
from feature_repo.searches import Searches
from tests.feature_repo.planted import START, interaction, interactions_table, search


def write(directory: Path, rows: Iterable[Interaction]) -> Path:
    pq.write_table(interactions_table(rows), directory / "interactions.parquet")
    return directory / "interactions.parquet"


def test_searches_at_the_cutoff_or_later_and_those_of_others_are_left_out(tmp_path: Path) -> None:
    rows = [
        search("ann", "red shoes", 3),
        search("ann", "boots", 1),
        search("ann", "red shoes", 3, id="recorded twice"),
        search("ann", "hats", 7),
        search("bob", "tents", 2),
        interaction("ann", "i1", 2),
    ]
    cutoffs = START + np.array([7, 8, 9])
    assert read_searches(write(tmp_path, rows), ["ann", "ann", "cid"], cutoffs) == [
        Searches(["boots", "red shoes"], [START + 1, START + 3]),
        Searches(["boots", "red shoes", "hats"], [START + 1, START + 3, START + 7]),
        Searches(),
    ]


def test_only_the_last_searches_count(tmp_path: Path) -> None:
    file = write(tmp_path, [search("ann", f"words {at}", at) for at in range(MAX_SEARCHES + 5)])
    (found,) = read_searches(file, ["ann"], np.array([START + 100]))
    assert found.timestamps == [START + at for at in range(5, MAX_SEARCHES + 5)]
