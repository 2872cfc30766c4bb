"""The order of a file's rows changes nothing: neither histories, nor targets, nor the training set."""

from dataclasses import dataclass
from pathlib import Path
from random import Random

import pyarrow as pa
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


@dataclass(frozen=True)
class Validated:
    """A file of purchases after its validation."""

    folder: Path
    rows: int  # of the file

    @property
    def interactions(self) -> Path:
        return self.folder / "valid.parquet"

    def training_files(self, protocol: str) -> dict[str, bytes]:
        """Run the steps from the validated interactions to the training set; return each file's content."""
        outputs = self.folder / protocol
        outputs.mkdir()
        spine, training_set, warehouse = (outputs / name for name in ("spine", "training_set", "warehouse"))
        policy, users = FeedbackPolicy.read(self.folder / "feedback.json"), self.folder / "users.parquet"
        features = build(self.interactions, users, policy, AS_OF, protocol, str(warehouse), spine)
        addresses = FeatureStoreAddresses(features, str(outputs / "registry.db"), str(outputs / "online.db"))
        fetch(spine, addresses, training_set)
        files = [self.interactions, spine, training_set, *sorted(Path(features).iterdir())]
        return {file.name: file.read_bytes() for file in files}


def validated(folder: Path, header: str, rows: list[str]) -> Validated:
    """Write a file, ingest and validate it."""
    result = Validated(folder, len(rows))
    folder.mkdir()
    (folder / "baskets.csv").write_text("\n".join([header, *rows]) + "\n")
    names = ("interactions.parquet", "items.parquet", "users.parquet", "feedback.json")
    outputs, warehouse = Outputs(*(folder / name for name in names)), str(folder / "warehouse")
    ingest(Sources("", str(folder / "baskets.csv")), FeedbackOptions(), warehouse, outputs)
    validate(
        outputs.interactions,
        outputs.items,
        outputs.users,
        FeedbackPolicy.read(outputs.feedback),
        AS_OF,
        warehouse,
        0.0,
        valid_interactions=result.interactions,
        quarantine=folder / "quarantine.parquet",
        data_docs=folder / "data_docs.html",
    )
    return result


@pytest.fixture(scope="module", params=[True, False], ids=["with ids", "without ids"])
def both_orders(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Validated, Validated]:
    """The same purchases from a sorted and from a shuffled file."""
    folder, rows = tmp_path_factory.mktemp("order"), purchases(request.param)
    header = ("interaction_id," if request.param else "") + "user_id,item_id,timestamp,event_type,value"
    in_order = validated(folder / "sorted", header, sorted(rows))
    Random(1).shuffle(rows)
    return in_order, validated(folder / "shuffled", header, rows)


@pytest.mark.parametrize("protocol", ["leave-one-out", "time"])
def test_a_sorted_and_a_shuffled_file_give_the_same_files(
    both_orders: tuple[Validated, Validated], protocol: str
) -> None:
    in_order, shuffled = both_orders
    files = in_order.training_files(protocol)
    assert shuffled.training_files(protocol) == files
    if protocol == "time":
        assert _contained(files["training_set"]) == in_order.rows - 50


def _contained(training_set: bytes) -> int:
    """Return the interactions in all windows, of which the step of 250 has 200."""
    table = pq.read_table(pa.BufferReader(training_set))
    return sum(len(row["item_ids"]) for row in table.to_pylist() if row["split"] == "all")
