"""A user is erased from a whole home, with a receipt; the next run is as if the user had never been there."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from unittest.mock import Mock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.build_features.feature_tables import build
from components.erase_user import home_files
from components.erase_user.receipt import Receipt, verify
from components.errors import StepError
from components.evaluate_release.dossier.registered import read_dossier
from components.evaluate_release.dossier.stored_evaluation import StoredEvaluation
from components.evaluation_files import FOLDER, PAGE
from components.ingest_interactions.feedback.feedback_options import FeedbackOptions
from components.ingest_interactions.ingestion import Outputs, Sources, ingest
from components.ingest_interactions.warehouse.manifest import Warehouse
from components.ingest_interactions.warehouse.retraction import retract
from components.materialize_features.materialization import materialize
from components.push_release.promotion import check_not_tainted
from components.register_release.review_history import Act, ReviewHistory
from components.run_record import RunRecord
from components.validate_interactions.validation import validate
from feature_repo.feedback import FeedbackPolicy
from feature_repo.interaction import Interaction
from feature_repo.store_addresses import FeatureStoreAddresses
from pipelines.errors import HomeInUse
from pipelines.local_run.run_lock import run_lock
from pipelines.privacy.erasure import RECEIPTS, allow_user, erase_user
from pipelines.privacy.export import export_user
from pipelines.privacy.preferences import is_personalized, set_personalized
from pipelines.review.rollback import roll_back
from pipelines.settings import Settings
from serving.errors import ErasedUser
from serving.exposures.exposure import Exposure
from serving.exposures.exposure_store import ExposureStore
from serving.online_store.online_features import OnlineFeatures
from serving.protos.recommender_pb2 import RecommendRequest
from serving.release.published_versions import PublishedVersions
from serving.user_data.erasure_store import ErasureStore
from serving.user_data.interaction_log import InteractionLog
from tests.components.erase_user.evaluation import write_evaluation
from tests.components.evaluate_release.dossier.stored import N_USERS
from tests.occurrences import files_with
from tests.serving.exposures.exposures import to_row
from tests.serving.planted import write_release

PERSON: Final = "Marked-Person"
TODAY: Final = datetime.now(UTC).replace(microsecond=0)
NOW_US: Final = int(TODAY.timestamp() * 1_000_000)


LOGGED: Final = f"2026-01-01 00:00:00 users without attributes ('{PERSON}', 'u2')\n"
SOURCE: Final = f"{PERSON},i1\n"


class Shop:
    """A home, and files outside of it; a shop without the person has the rows of all others."""

    def __init__(self, folder: Path, has_person: bool = True) -> None:
        self.folder, self.has_person = folder, has_person
        (folder / "home").mkdir(parents=True)
        self.settings = Settings(home=folder / "home")
        self.settings.prepare_home()
        self.outputs = Outputs(*(folder / name for name in ("snapshot", "items", "users", "feedback")))

    def write(self, name: str, first_day: int) -> str:
        rows = ["user_id,item_id,timestamp"]
        users = [*(f"u{number}" for number in range(8)), *([PERSON] * self.has_person)]
        for number, user in enumerate(users):
            for day in range(40 if user == PERSON else 6):
                moment = TODAY - timedelta(days=30 - first_day - day % 6, minutes=number, seconds=day)
                rows.append(f"{user},i{(number + day) % 10},{moment.isoformat()}")
        (self.folder / name).write_text("\n".join(rows) + "\n")
        return str(self.folder / name)

    def write_users(self) -> str:
        rows = [f"u{number},{'north' if number % 2 else 'south'}" for number in range(8)]
        rows += [f"{PERSON},west"] * self.has_person
        (self.folder / "users.csv").write_text("\n".join(["user_id,region", *rows]) + "\n")
        return str(self.folder / "users.csv")

    def record(self, *users: str) -> None:
        log = InteractionLog(self.settings.interaction_log)
        try:
            log.record([Interaction(f"{user}-1", user, "i1", "click", NOW_US - 10**9) for user in users])
        finally:
            log.close()

    def ingest(self, interactions: str, users: str = "") -> None:
        sources = Sources(
            interactions_file=interactions, users_file=users, interaction_log=self.settings.interaction_log
        )
        ingest(sources, FeedbackOptions(), self.settings.warehouse, self.outputs)

    def validate_and_build(self, steps: Path) -> FeatureStoreAddresses:
        policy, valid = FeedbackPolicy.read(self.outputs.feedback), steps / "valid"
        steps.mkdir(parents=True, exist_ok=True)
        validate(
            self.outputs.interactions,
            self.outputs.items,
            self.outputs.users,
            policy,
            NOW_US,
            self.settings.warehouse,
            0.05,
            valid_interactions=valid,
            quarantine=steps / "quarantine",
            data_docs=steps / "docs.html",
        )
        spine, warehouse = steps / "spine", self.settings.warehouse
        features = build(valid, self.outputs.users, policy, NOW_US, "leave-one-out", warehouse, spine)
        return FeatureStoreAddresses(features, self.settings.registry, self.settings.online_store)

    def written(self) -> dict[str, bytes]:
        """Return the content of the files of the last run, by name."""
        files = [file for file in Path(self.settings.features).glob("*.parquet") if file.is_file()]
        files += [self.outputs.interactions, self.outputs.items, self.outputs.users, self.outputs.feedback]
        return {file.name: file.read_bytes() for file in files}


def test_the_next_run_equals_one_on_data_that_never_had_the_user(tmp_path: Path) -> None:
    shops = [Shop(tmp_path / "with"), Shop(tmp_path / "without", has_person=False)]
    for shop in shops:
        shop.record("u1", *([PERSON] * shop.has_person))
        shop.ingest(shop.write("first.csv", 0), shop.write_users())
        shop.validate_and_build(shop.folder / "steps")
    assert shops[0].written() != shops[1].written()

    erase_user(shops[0].settings, PERSON)

    for shop in shops:  # the person's rows come again, and are more than a tenth of all
        shop.ingest(shop.write("second.csv", 7), shop.write_users())
        shop.validate_and_build(shop.folder / "steps")
    ours, theirs = (shop.written() for shop in shops)
    assert ours.keys() == theirs.keys()
    assert len(ours) == 6
    assert [name for name in ours if ours[name] != theirs[name]] == []


def test_a_run_leaves_out_whom_a_recommender_has_erased(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.ingest(shop.write("first.csv", 0), shop.write_users())
    store = ErasureStore(shop.settings.interaction_log)
    store.erase(PERSON)
    store.close()
    shop.ingest(shop.write("second.csv", 7))
    assert PERSON not in pq.read_table(shop.outputs.interactions)["user_id"].to_pylist()
    assert files_with(Path(shop.settings.warehouse), PERSON) == []


def test_what_runs_have_deleted_counts_for_the_receipt_and_the_taint(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.ingest(shop.write("first.csv", 0), shop.write_users())
    write_release(Path(shop.settings.releases), 1)
    store = ErasureStore(shop.settings.interaction_log)
    store.erase(PERSON)
    store.close()
    shop.ingest(shop.write("second.csv", 7))

    with run_lock(shop.settings.home), pytest.raises(HomeInUse):
        erase_user(shop.settings, PERSON)
    receipt, _ = erase_user(shop.settings, PERSON)
    assert {entry["what"]: entry["count"] for entry in receipt.removed}["interactions"] == 40
    assert receipt.tainted_releases == [1]

    write_release(Path(shop.settings.releases), 2)
    again, _ = erase_user(shop.settings, PERSON)
    assert (again.number, again.tainted_releases) == (2, [])
    assert sum(entry["count"] for entry in again.removed) == 0


def test_an_interrupted_erasure_is_ended_by_its_repeat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(tmp_path)
    shop.record(PERSON)
    shop.ingest(shop.write("first.csv", 0))
    write_release(Path(shop.settings.releases), 1)
    shop.validate_and_build(shop.settings.home / "runs" / "1" / "steps")
    with monkeypatch.context() as failing:
        failing.setattr(home_files, "delete_outputs", Mock(side_effect=OSError("full")))
        with pytest.raises(OSError, match="full"):
            erase_user(shop.settings, PERSON)
    receipt, _ = erase_user(shop.settings, PERSON)
    counts = {entry["what"]: entry["count"] for entry in receipt.removed}
    assert (counts["recorded interactions"], counts["interactions"]) == (1, 41)
    assert counts["rows of features, of this snapshot and of earlier ones"] > 0
    assert (receipt.number, receipt.tainted_releases) == (1, [1])
    assert [file.name for file in (shop.settings.home / RECEIPTS).glob("draft*")] == []


def test_a_home_without_a_run_stays_open_for_each_key(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    erase_user(shop.settings, PERSON)
    allow_user(shop.settings, PERSON)
    assert not (Path(shop.settings.warehouse) / "watermarks.json").exists()


def test_an_allowed_user_comes_back_with_the_same_file(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    file = shop.write("first.csv", 0)
    shop.ingest(file)
    erase_user(shop.settings, PERSON)
    shop.ingest(file)
    assert PERSON not in pq.read_table(shop.outputs.interactions)["user_id"].to_pylist()
    allow_user(shop.settings, PERSON)
    shop.ingest(file)
    users = pq.read_table(shop.outputs.interactions)["user_id"].to_pylist()
    assert (users.count(PERSON), users.count("u1")) == (40, 6)


def test_a_retraction_of_all_others_stays_and_names_nobody(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    file = shop.write("first.csv", 0)
    shop.ingest(file)
    retract(shop.settings.warehouse, "", [f"user_id!={PERSON}", "item_id=i9"])
    erase_user(shop.settings, PERSON)
    assert files_with(Path(shop.settings.warehouse), PERSON) == []
    (retraction,) = Warehouse(shop.settings.warehouse).watermarks.retractions
    assert retraction.conditions == ["user_id!=", "item_id=i9"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A home with something of the person in each of its places."""
    shop = Shop(tmp_path_factory.mktemp("shop"))
    settings = shop.settings
    shop.record(PERSON, "u1")
    shop.ingest(shop.write("first.csv", 0), shop.write_users())
    steps = settings.home / "runs" / "20260101-000000" / "steps"
    materialize(shop.validate_and_build(steps), NOW_US)
    retract(settings.warehouse, "", [f"user_id={PERSON}", "item_id=i9"])
    exposures = ExposureStore(settings.interaction_log)
    request = RecommendRequest(user_id="u1", followed_user_ids=[PERSON, "u2"]).SerializeToString()
    for user, content in ((PERSON, b""), ("u1", request)):
        basis = ("", "trending", "", "", ["i1"], [1.0], [1], [1.0])
        exposures.append([to_row(Exposure(f"to-{user}", user, NOW_US, 1, *basis, request=content))])
        set_personalized(settings, user, False)
    exposures.close()
    run, artifacts = steps.parent, settings.home / "mlflow" / "artifacts" / "penchant"
    (run / "run.log").write_text(LOGGED)
    RunRecord("20260101-000000", "training", "", "ada", {}, error=f"user {PERSON} is odd").write(run)
    (artifacts / "base_model").mkdir(parents=True)
    np.save(artifacts / "base_model" / "weights.npy", np.ones(3))
    pq.write_table(pa.table({"user_id": [PERSON, "u1"]}), artifacts / "base_model" / "learned.parquet")
    write_evaluation(artifacts / FOLDER, PERSON)
    killed = Path(settings.warehouse, "training", "run-train", "uid", "0")
    for copies in (settings.home / home_files.PRIVATE_COPIES, run / "tmp", killed):
        copies.mkdir(parents=True)
        (copies / "interactions.parquet").write_text(PERSON)
    (settings.home / "review").mkdir()
    (settings.home / "review" / "version-1.html").write_text((artifacts / FOLDER / PAGE).read_text())
    (settings.home / "sources").mkdir()
    for source in (settings.home / "sources" / "mine.csv", settings.home / "models.json"):
        source.write_text(SOURCE)
    ReviewHistory(settings.review_history, settings.model_name).append(Act.REGISTERED, 7, "ada", "")
    for version in (1, 2):
        write_release(Path(settings.releases), version)
    return shop


@pytest.fixture(scope="module")
def exported(trained: Shop) -> dict[str, Any]:
    return export_user(trained.settings, PERSON)


@pytest.fixture(scope="module")
def erased(trained: Shop, exported: dict[str, Any]) -> tuple[Receipt, Path]:
    assert exported["data"]
    assert files_with(trained.settings.home, PERSON)
    return erase_user(trained.settings, PERSON)


def test_an_export_has_everything_that_is_held(exported: dict[str, Any]) -> None:
    data = json.loads(json.dumps(exported, allow_nan=False))["data"]
    assert len(data) == 6
    assert all(each["rows"] and each["used_for"] for each in data.values())
    assert data["attributes"]["rows"][0]["region"] == "west"
    assert data["recorded_interactions"]["rows"][0]["item_id"] == "i1"
    (preference,) = data.pop("preferences")["rows"]
    assert preference["personalized"] is False
    assert {row["user_id"] for each in data.values() for row in each["rows"]} == {PERSON}


@pytest.mark.usefixtures("erased")
def test_no_byte_of_the_home_has_the_id_but_the_users_own_files(trained: Shop) -> None:
    assert sorted(files_with(trained.settings.home, PERSON)) == ["models.json", "sources/mine.csv"]
    assert (trained.settings.home / "sources" / "mine.csv").read_text() == SOURCE


@pytest.mark.usefixtures("erased")
def test_everything_of_others_stays(trained: Shop) -> None:
    settings = trained.settings
    online = OnlineFeatures(
        FeatureStoreAddresses(settings.features, settings.registry, settings.online_store)
    )
    assert online.user(PERSON) is None
    snapshot = online.user("u1")
    assert snapshot is not None
    assert len(snapshot.history) == 7
    exposures = ExposureStore(settings.interaction_log)
    (exposure,) = exposures.of_request("to-u1")
    exposures.close()
    assert RecommendRequest.FromString(exposure.request).followed_user_ids == ["u2"]
    artifacts = settings.home / "mlflow" / "artifacts" / "penchant"
    evaluation = StoredEvaluation.read(artifacts / FOLDER)
    assert len(evaluation.answers) == len(evaluation.users) == N_USERS - 1
    dossier = read_dossier(1, artifacts / FOLDER)
    assert dossier is not None
    assert "chose next" in dossier.render([])
    assert not (artifacts / "base_model").exists()
    run = settings.home / "runs" / "20260101-000000"
    assert (run / "run.log").read_text() == LOGGED.replace(f"'{PERSON}'", f"'{'*' * len(PERSON)}'")
    assert RunRecord.read(run).error == "user (erased) is odd"
    data = export_user(settings, "u1")["data"]
    assert all(each["rows"] for each in data.values())
    assert [is_personalized(settings, user) for user in ("u1", "u2")] == [False, True]


def test_the_receipt_says_what_was_removed_and_what_remains(
    trained: Shop, erased: tuple[Receipt, Path]
) -> None:
    receipt, file = erased
    counts = {entry["what"]: entry["count"] for entry in receipt.removed}
    assert counts["recorded interactions"] == 1
    assert counts["preferences"] == 1
    assert counts["records of what was shown"] == 1
    assert counts["requests of others that name the user"] == 1
    assert counts["interactions"] == 37  # 41 without the 4 that a retraction had withdrawn
    assert counts["rows of attributes"] == 1
    assert counts["runs whose outputs of steps are deleted"] == 1
    assert counts["copies of data that killed runs and commands left"] == 2
    assert counts["starts of later trainings"] == 1
    assert counts["trainings on several pods, left unfinished"] == 1
    assert counts["logs and records in which the id is overwritten"] == 2
    assert counts["rows of evaluations"] == 2
    assert (
        counts["dossiers with the user as an example"] == counts["pages that `penchant review` writes"] == 1
    )
    assert receipt.tainted_releases == [1, 2, 7]
    assert str(trained.folder / "first.csv") in [entry["place"] for entry in receipt.remains]
    assert PERSON not in file.read_text()


def test_a_receipt_can_be_verified_and_a_changed_one_is_found(
    trained: Shop, erased: tuple[Receipt, Path], tmp_path: Path
) -> None:
    receipt, file = erased
    receipts = trained.settings.home / RECEIPTS
    assert verify(receipts, file) == receipt
    (tmp_path / "changed.json").write_text(file.read_text().replace('"count": 1,', '"count": 2,', 1))
    with pytest.raises(StepError, match="the signature is wrong"):
        verify(receipts, tmp_path / "changed.json")
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(StepError, match="expected a receipt that `penchant forget`"):
        verify(receipts, tmp_path / "other.json")


@pytest.mark.usefixtures("erased")
def test_a_rollback_to_a_release_that_learned_from_the_user_is_refused(trained: Shop) -> None:
    with pytest.raises(LookupError, match=r"version 1 learned from users who were erased.*--accept-tainted"):
        roll_back(trained.settings, "ada", "a reason", to=1)
    assert roll_back(trained.settings, "ada", "a reason", to=1, accept_tainted=True).version == 1


@pytest.mark.usefixtures("erased")
def test_no_tainted_version_of_the_registry_is_pushed(trained: Shop) -> None:
    store = PublishedVersions(trained.settings.releases)
    with pytest.raises(StepError, match=r"version 7 learned from users who were erased since \(receipts 1\)"):
        check_not_tainted(store, 7)  # registered, not published
    check_not_tainted(store, 8)


@pytest.mark.usefixtures("erased")
def test_a_user_is_recorded_only_when_allowed_again(trained: Shop) -> None:
    with pytest.raises(ErasedUser):
        trained.record(PERSON)
    with pytest.raises(ErasedUser):
        is_personalized(trained.settings, PERSON)
    assert allow_user(trained.settings, PERSON)
    assert is_personalized(trained.settings, PERSON)
    trained.record(PERSON)
    assert not allow_user(trained.settings, PERSON)
