"""Makes a differentially private data set of what a home has, and keeps account of it."""

import json
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.erase_user.home_files import PRIVATE_COPIES
from components.errors import StepError
from components.ingest_interactions.duckdb_session import connect
from components.ingest_interactions.feedback.feedback_options import FeedbackOptions
from components.ingest_interactions.ingestion import Outputs, Sources, ingest
from components.ingest_interactions.warehouse.manifest import Warehouse
from components.ingest_interactions.warehouse.privacy_statement import FILE
from components.memory import check_memory
from components.private_data.choices import read_choices
from components.private_data.gaussian_privacy import mu_of
from components.private_data.measured_accuracy import hold_out, measure
from components.private_data.positive_rule import positive_rule
from components.private_data.privacy_ledger import PrivacyLedger
from components.private_data.private_counts import Ints, noised_counts
from components.private_data.synthetic_sequences import draw_sequences
from feature_repo.atomic_files import staging_directory
from pipelines.local_run.run_lock import run_lock
from pipelines.settings import Settings

UNIT: Final = "a user, with all that the user ever did: added or left out"
SEQUENCES: Final = 20_000
LENGTH: Final = 50
DAYS: Final = 365
INTERACTIONS: Final = "interactions.parquet"
ITEMS: Final = "items.parquet"
ACCURACY_SHARE: Final = 0.02  # of μ², spent to measure how accurate the data set is

# Measured on MovieLens-1M; an item's are those of the rows that get noise together.
BASE_BYTES: Final = 500_000_000
BYTES_PER_CHOICE: Final = 400
BYTES_PER_ITEM: Final = 10_000
_DAY_US: Final = 86_400_000_000

NOTHING_NEW: Final = Sources()
AS_KEPT: Final = FeedbackOptions()


@dataclass(frozen=True)
class PrivateData:
    """What `privacy.json` of a private data set says.

    Attributes:
        spent: ε of all those of its warehouse together.
        sha256: of interactions.parquet, so that the statement holds for no other file.
        curve: ε and the accuracy of all those of its warehouse, as `PrivacyLedger.curve` returns them.
    """

    epsilon: float
    delta: float
    unit: str
    spent: float
    budget: float
    sequences: int
    length: int
    sha256: str
    curve: list[dict[str, Any]]

    def __str__(self) -> str:
        return (
            f"{self.sequences * self.length:,} drawn choices, epsilon {self.epsilon:g} at delta "
            f"{self.delta:g}; all private data sets of this warehouse: {self.spent:.2f} of {self.budget:g}"
        )


def make_private_data(
    settings: Settings,
    folder: Path,
    epsilon: float,
    sequences: int = SEQUENCES,
    length: int = LENGTH,
    sources: Sources = NOTHING_NEW,
    feedback: FeedbackOptions = AS_KEPT,
) -> PrivateData:
    """Write interactions, items and `privacy.json` to a new folder.

    The ledger counts the data set before it is drawn: what an interrupted command has spent stays spent.

    Args:
        sequences: users of the data set.
        length: choices of each of them.
        sources, feedback: what the home ingests before, and what it means.

    Raises:
        HomeInUse: a run is in progress.
        StepError: the budget would be overspent, or there is no items table, or no rule of what is positive.
        ValueError: the folder exists or is in the home or the warehouse, ε is out of range, or there are
            too many items, or too few users for this ε.
    """
    _check_folder(settings, folder)
    delta, budget = settings.privacy_delta, settings.privacy_budget
    settings.prepare_home()
    with run_lock(settings.home), _copies(settings.home) as copies:
        ledger = PrivacyLedger(settings.warehouse)
        ledger.check(epsilon, delta, budget)
        users, items, catalog = _read(settings, copies, sources, feedback)
        _check_memory(len(items), len(catalog))
        users, items, held_out = hold_out(users, items)
        name = ledger.spend(str(folder), epsilon, delta, budget)
        mu, item_count = mu_of(epsilon, delta), len(catalog)
        counts = noised_counts(users, items, item_count, mu * (1 - ACCURACY_SHARE) ** 0.5, _random())
        drawn = draw_sequences(counts, sequences, length, _random())
        if accuracy := measure(held_out, drawn, item_count, mu * ACCURACY_SHARE**0.5, _random()):
            ledger.add_accuracy(name, asdict(accuracy))
    with staging_directory(folder) as staged:
        _write(staged, drawn, catalog, name)
        digest = sha256((staged / INTERACTIONS).read_bytes()).hexdigest()
        spent, curve = ledger.epsilon(delta), ledger.curve(delta)
        about = PrivateData(epsilon, delta, UNIT, spent, budget, sequences, length, digest, curve)
        (staged / FILE).write_text(json.dumps(asdict(about), indent=2) + "\n")
        staged.rename(folder)  # which fails if the folder was made meanwhile, and has files
    return about


def _check_folder(settings: Settings, folder: Path) -> None:
    """Raise ValueError if the folder exists, or is one of the home's own data."""
    if folder.exists():
        raise ValueError(f"{folder} exists already: choose another folder, or remove it")
    for own in (settings.home, Path(settings.warehouse)):
        if folder.resolve().is_relative_to(own.resolve()):
            raise ValueError(f"{folder} is in {own}, which has this home's data: choose a folder outside")


@contextmanager
def _copies(home: Path) -> Iterator[Path]:
    """Yield a new folder of the home for copies of its data; what a killed command left is deleted first."""
    folder = home / PRIVATE_COPIES
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _read(
    settings: Settings, folder: Path, sources: Sources, feedback: FeedbackOptions
) -> tuple[Ints, Ints, pa.Table]:
    """Return users and the rows of the catalog that they chose, and the items that an items table has."""
    names = ("interactions.parquet", "items.parquet", "users.parquet", "feedback.json")
    outputs = Outputs(*(folder / name for name in names))
    ingest(sources, feedback, settings.warehouse, outputs, pseudonyms=settings.pseudonyms)
    rule = positive_rule(outputs.interactions, outputs.feedback)
    store = Warehouse(settings.warehouse)
    if (described := store.rows("items")) is None:
        raise StepError(
            "this home has no items table: the items of a private data set must be public, so they can't be "
            "taken from the interactions; give them with `penchant run --items FILE`"
        )
    with connect(store.filesystem) as connection:
        own = connection.sql(f"SELECT item_id, domain FROM {described} ORDER BY item_id").to_arrow_table()
    items = pq.read_table(outputs.items)
    catalog = items.filter(pc.is_in(items["item_id"], value_set=own["item_id"].combine_chunks()))
    # An item without a domain has that of its interactions there.
    domain = catalog.schema.get_field_index("domain")
    catalog = catalog.set_column(domain, catalog.schema.field(domain), own["domain"])
    pq.write_table(catalog, outputs.items)
    return *read_choices(outputs.interactions, outputs.items, rule), catalog


def _check_memory(choices: int, items: int) -> None:
    """Raise StepError if the counts would need more memory than there is."""
    size = f"{choices:,} choices and {items:,} items"
    needed = BASE_BYTES + BYTES_PER_CHOICE * choices + BYTES_PER_ITEM * items
    check_memory("private counts", size, needed, "give the command more memory")


def _random() -> np.random.Generator:
    """Return a generator that nobody can repeat."""
    return np.random.default_rng(secrets.randbits(128))


def _write(folder: Path, drawn: NDArray[np.int64], catalog: pa.Table, name: str) -> None:
    """Write the drawn choices, as a source of this name, and the catalog."""
    pq.write_table(_interactions(drawn, catalog["item_id"], name), folder / INTERACTIONS)
    # A home that has drawn interactions learns from these, too, instead of refusing the file.
    (folder / f"{INTERACTIONS}.toml").write_text(f'source = "drawn {name}"\n')
    pq.write_table(catalog, folder / ITEMS)


def _interactions(drawn: NDArray[np.int64], item_ids: pa.ChunkedArray, name: str) -> pa.Table:
    """Return the drawn choices as interactions, at random times of the last DAYS days."""
    sequences, length = drawn.shape
    today = time.time_ns() // 1000 // _DAY_US * _DAY_US
    times = np.sort(_random().integers(today - DAYS * _DAY_US, today, drawn.shape), axis=1)
    users = [f"drawn-{name}-{number}" for number in range(sequences)]
    return pa.table(
        {
            "user_id": pa.array(np.repeat(users, length)),
            "item_id": item_ids.take(pa.array(drawn.ravel())),
            "event_type": pa.array(["view"] * drawn.size),
            "timestamp": pa.array(times.ravel(), pa.timestamp("us", "UTC")),
        }
    )
