"""The order of a file's rows changes nothing: neither histories, nor targets, nor the training set."""

from pathlib import Path
from random import Random

import pyarrow.parquet as pq
import pytest

from components.build_features.feature_tables import build
from components.fetch_training_set.training_set import fetch
from components.ingest_interactions.feedback.feedback_options import FeedbackOptions
from components.ingest_interactions.ingestion import Outputs, Sources, ingest
from components.validate_interactions.validation import validate
from feature_repo.feedback import FeedbackPolicy
from feature_repo.store_addresses import FeatureStoreAddresses

AS_OF = 1_714_521_600_000_000  # 2024-05-01 UTC, after all interactions


def purchases(with_ids: bool) -> list[str]:
    """Return the rows of a file: baskets whose times are dates, with returns, and one of 250 items."""
    random, rows = Random(5), list[str]()
    for user in range(30):
        for visit, day in enumerate(sorted(random.sample(range(1, 29), random.randint(2, 8)))):
            size = 250 if (user, visit) == (0, 1) else random.randint(1, 6)
            for item in random.sample(range(400), size):
                event = "return" if random.random() < 0.05 else "purchase"
                id = f"{random.getrandbits(32):08x}," if with_ids else ""
                rows.append(f"{id}u{user},i{item},2024-03-{day:02},{event},{random.randint(1, 9)}")
    return rows


def run(folder: Path, header: str, rows: list[str], protocol: str) -> dict[str, bytes]:
    """Run the steps up to the training set; return each file's content."""
    folder.mkdir()
    (folder / "baskets.csv").write_text("\n".join([header, *rows]) + "\n")
    names = ("interactions.parquet", "items.parquet", "users.parquet", "feedback.json")
    outputs, warehouse = Outputs(*(folder / name for name in names)), str(folder / "warehouse")
    ingest(Sources("", str(folder / "baskets.csv")), FeedbackOptions(), warehouse, outputs)
    policy, valid = FeedbackPolicy.read(outputs.feedback), folder / "valid.parquet"
    validate(
        outputs.interactions,
        outputs.items,
        outputs.users,
        policy,
        AS_OF,
        warehouse,
        0.0,
        valid_interactions=valid,
        quarantine=folder / "quarantine.parquet",
        data_docs=folder / "data_docs.html",
    )
    spine, training_set = folder / "spine.parquet", folder / "training_set.parquet"
    features = build(valid, outputs.users, policy, AS_OF, protocol, warehouse, spine)
    registry, online_store = str(folder / "registry.db"), str(folder / "online.db")
    fetch(spine, FeatureStoreAddresses(features, registry, online_store), training_set)
    files = [valid, spine, training_set, *sorted(Path(features).iterdir())]
    return {file.name: file.read_bytes() for file in files}


@pytest.mark.parametrize("protocol", ["leave-one-out", "time"])
@pytest.mark.parametrize("with_ids", [True, False], ids=["with ids", "without ids"])
def test_a_sorted_and_a_shuffled_file_give_the_same_files(
    tmp_path: Path, with_ids: bool, protocol: str
) -> None:
    header = ("interaction_id," if with_ids else "") + "user_id,item_id,timestamp,event_type,value"
    rows = purchases(with_ids)
    in_order = run(tmp_path / "sorted", header, sorted(rows), protocol)
    Random(1).shuffle(rows)
    assert run(tmp_path / "shuffled", header, rows, protocol) == in_order
    if protocol == "time":
        assert _contained(tmp_path / "sorted") == len(rows) - 50


def _contained(folder: Path) -> int:
    """Return the interactions in all windows, of which the step of 250 has 200."""
    table = pq.read_table(folder / "training_set.parquet")
    return sum(len(row["item_ids"]) for row in table.to_pylist() if row["split"] == "all")
