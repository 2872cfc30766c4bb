"""With a pseudonym key no byte of a home is a user id, and training and serving agree on the pseudonyms."""

import logging
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq
import pytest

from components.build_features.feature_tables import build
from components.errors import StepError
from components.fetch_training_set.training_set import fetch
from components.ingest_interactions.feedback.feedback_options import FeedbackOptions
from components.ingest_interactions.ingestion import Outputs, Sources, ingest
from components.materialize_features.materialization import materialize
from components.train_collaborative_filters.fitting import fit
from components.validate_interactions.validation import validate
from feature_repo.feedback import FeedbackPolicy
from feature_repo.pseudonyms import Pseudonyms, read_pseudonyms
from feature_repo.store_addresses import FeatureStoreAddresses
from serving.errors import InvalidRequest
from serving.online_store.online_features import OnlineFeatures
from tests.compute import compute
from tests.occurrences import files_with
from tests.patience import wait_until
from tests.serving.service import running

MARK: Final = "Marked-Person"
KEY: Final = "0123456789abcdef0123456789abcdef"
TODAY: Final = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("key") / "key"
    file.write_text(f"{KEY}\n")
    return file


def write_files(folder: Path) -> tuple[str, str]:
    """Write interactions and users; the rows of three people are bad."""
    rows = ["user_id,item_id,timestamp"]
    for user in range(12):
        for day in range(6):
            moment = TODAY - timedelta(days=30 - day, minutes=user)
            rows.append(f"{MARK}-{user},comedy-{(user + day) % 20},{moment.isoformat()}")
    future = TODAY + timedelta(days=300)
    rows += [f"{MARK}-late,comedy-1,{future.isoformat()}", f"{MARK * 30},comedy-2,{TODAY.isoformat()}"]
    (folder / "interactions.csv").write_text("\n".join(rows) + "\n")
    users = [f"{MARK}-{user},{'north' if user % 2 else 'south'}" for user in range(12)]
    (folder / "users.csv").write_text("\n".join(["user_id,region", *users, f"{MARK * 30},west"]) + "\n")
    return str(folder / "interactions.csv"), str(folder / "users.csv")


def run_steps(home: Path, files: tuple[str, str], key_file: Path) -> FeatureStoreAddresses:
    """Run the steps from the ingest to the filters."""
    steps, warehouse = home / "runs", str(home / "warehouse")
    steps.mkdir()
    outputs = Outputs(*(steps / name for name in ("snapshot", "items", "users", "feedback")))
    sources = Sources(
        interactions_file=files[0],
        users_file=files[1],
        interaction_log=f"sqlite:///{home}/interaction_log.db",
    )
    as_of = ingest(sources, FeedbackOptions(), warehouse, outputs, pseudonyms=read_pseudonyms(key_file))
    policy, valid = FeedbackPolicy.read(outputs.feedback), steps / "valid"
    validate(
        outputs.interactions,
        outputs.items,
        outputs.users,
        policy,
        as_of,
        warehouse,
        0.2,
        valid_interactions=valid,
        quarantine=steps / "quarantine",
        data_docs=steps / "docs.html",
    )
    spine, training_set = steps / "spine", steps / "training_set"
    features = build(valid, outputs.users, policy, as_of, "leave-one-out", warehouse, spine)
    addresses = FeatureStoreAddresses(features, str(home / "registry.db"), str(home / "online_store.db"))
    materialize(addresses, as_of)
    fetch(spine, addresses, training_set, compute())
    fit(training_set, outputs.items, "all", steps / "filters", policy)
    return addresses


def test_no_byte_of_a_home_is_a_user_id(
    tmp_path: Path,
    key_file: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    home = tmp_path / "home"
    home.mkdir()
    options: dict[str, Any] = {
        "pseudonym_key_file": key_file,
        "log_requests": True,
        "log_user_ids": True,
        "trace_file": home / "traces",
    }
    with running(home, **options) as service:
        for item in ("comedy-1", "comedy-2"):
            answer = service.client.recommend(
                f"{MARK}-1", history=[item], followed_user_ids=[f"{MARK}-2", f"{MARK}-3"], scenario="social"
            )
            answer.click(answer.recommendations[0])
        service.client.interests(f"{MARK}-1")
        with pytest.raises(InvalidRequest, match="user_id: expected 1 to 256 characters") as error:
            service.client.recommend(MARK * 30)
        assert MARK not in str(error.value)
        wait_until(lambda: bool(service.exposures.of_request(answer.request_id)))
        pseudonym = Pseudonyms(KEY.encode()).of(f"{MARK}-1")
        assert service.exposures.of_request(answer.request_id)[0].user_id == pseudonym
        assert len(service.log.since(pseudonym, 0)) == 2

    addresses = run_steps(home, write_files(tmp_path), key_file)

    # The snapshot has 6 rows of the file and 2 of the log: both ways gave the same pseudonym.
    snapshot = OnlineFeatures(addresses).user(pseudonym)
    assert snapshot is not None
    assert len(snapshot.history) == 8
    assert snapshot.profile["region"] == "north"
    quarantine = pq.read_table(home / "runs" / "quarantine").to_pylist()
    assert {row["user_id"] for row in quarantine} == {"", Pseudonyms(KEY.encode()).of(f"{MARK}-late")}
    assert files_with(home, pseudonym), "the search finds nothing at all"
    assert files_with(home, MARK) == []
    assert f"user_id='{pseudonym}'" in caplog.text
    assert MARK not in caplog.text + "".join(capfd.readouterr())


def test_a_message_about_a_file_quotes_no_cell_of_it(
    tmp_path: Path, key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "interactions.csv"
    rows = [f"{MARK}-{number},tea,{TODAY.isoformat()}" for number in range(40)]
    file.write_text("\n".join(["user_id,item_id,timestamp", *rows, f"{MARK},a,b,c,d,e"]) + "\n")
    outputs = Outputs(*(tmp_path / name for name in ("snapshot", "items", "users", "feedback")))

    def ingested(pseudonyms: Pseudonyms | None, warehouse: str) -> str:
        sources = Sources(interactions_file=str(file))
        ingest(sources, FeedbackOptions(), str(tmp_path / warehouse), outputs, pseudonyms=pseudonyms)
        return capsys.readouterr().out

    assert MARK in ingested(None, "open")
    keyed = ingested(read_pseudonyms(key_file), "keyed")
    assert "1 of 41 lines can't be read as a row of 3 cells" in keyed
    assert MARK not in keyed

    file.write_text("\n".join(["user_id,item_id,timestamp", *rows, f"{MARK},tea,{MARK}"]) + "\n")
    with pytest.raises(StepError) as error:
        ingested(read_pseudonyms(key_file), "damaged")
    assert MARK not in str(error.value) + capsys.readouterr().out
    assert "row 41" in str(error.value)


def test_ids_from_content_do_not_tell_the_user(tmp_path: Path, key_file: Path) -> None:
    """An id that is a hash of user, item and time would let anybody test who a row belongs to."""
    file = tmp_path / "interactions.csv"
    file.write_text(f"user_id,item_id,timestamp\nann,tea,{int(time.time())}\n")
    ids = []
    for name, pseudonyms in (("open", None), ("keyed", read_pseudonyms(key_file))):
        outputs = Outputs(
            *(tmp_path / f"{name}-{table}" for table in ("snapshot", "items", "users", "policy"))
        )
        sources = Sources(interactions_file=str(file))
        ingest(sources, FeedbackOptions(), str(tmp_path / name), outputs, pseudonyms=pseudonyms)
        ids.append(pq.read_table(outputs.interactions)["interaction_id"][0].as_py())
    assert ids[0] != ids[1]
