"""A home gets another pseudonym key: no byte of it has a pseudonym under the old one, and the users stay."""

from pathlib import Path
from unittest.mock import Mock

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from components.build_features.feature_tables import build
from components.erase_user import online_rows
from components.erase_user.parquet_rows import replace_ids, stored_ids
from components.errors import StepError
from components.evaluate_release.dossier.stored_evaluation import StoredEvaluation
from components.evaluation_files import ANSWERS, FOLDER
from components.hashed_ids import hash_ids
from components.ingest_interactions.feedback.feedback_options import FeedbackOptions
from components.ingest_interactions.ingestion import Outputs, Sources, ingest
from components.ingest_interactions.warehouse.manifest import Warehouse
from components.ingest_interactions.warehouse.retraction import retract
from components.materialize_features.materialization import materialize
from components.rotate_key import warehouse_ids
from feature_repo.feedback import FeedbackPolicy
from feature_repo.interaction import Interaction
from feature_repo.pseudonyms import Pseudonyms, WrongPseudonymKey
from feature_repo.store_addresses import FeatureStoreAddresses
from pipelines.cli import app
from pipelines.errors import HomeInUse
from pipelines.privacy import key_rotation
from pipelines.privacy.erasure import allow_user, erase_user
from pipelines.privacy.export import export_user
from pipelines.privacy.key_rotation import rotate_key
from pipelines.privacy.preferences import is_personalized, set_personalized
from pipelines.settings import Settings
from serving.exposures import key_rotation as exposures_key_rotation
from serving.exposures.exposure_store import ExposureStore
from serving.protos.recommender_pb2 import RecommendRequest
from serving.user_data.interaction_log import InteractionLog
from tests.components.erase_user.evaluation import write_evaluation
from tests.components.evaluate_release.dossier.stored import N_USERS
from tests.occurrences import files_with
from tests.serving.experiments.experiments import file_of, halves
from tests.serving.exposures.exposures import exposure, to_row

FIRST, SECOND = "1" * 64, "2" * 64
OLD, NEW = Pseudonyms(FIRST.encode()), Pseudonyms(FIRST.encode(), SECOND.encode())
USERS = [f"user {number}" for number in range(6)]
HELD = len(USERS) + N_USERS - 1  # the evaluation has users that nothing else has
NOW_US = 1_790_000_000_000_000


class Home:
    """A home with the first key, with something of the users in each of its places."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, folder / "home"
        self.root.mkdir(parents=True)
        (folder / "key").write_text(FIRST)
        (folder / "keys").write_text(f"penchant-keys-1\n{FIRST}\n{SECOND}\n")
        self.outputs = Outputs(*(folder / name for name in ("snapshot", "items", "users", "feedback")))
        rows = [f"{user},i{day},2026-01-0{day + 1}" for user in USERS for day in range(5)]
        (folder / "rows.csv").write_text("\n".join(["user_id,item_id,timestamp", *rows]) + "\n")
        users = [f"{user},north" for user in USERS]
        (folder / "users.csv").write_text("\n".join(["user_id,region", *users]) + "\n")
        self.settings("key").prepare_home()

    def settings(self, key: str) -> Settings:
        return Settings(home=self.root, pseudonym_key_file=self.folder / key)

    def ingest(self, pseudonyms: Pseudonyms) -> None:
        settings = self.settings("key")
        sources = Sources(
            interactions_file=str(self.folder / "rows.csv"),
            users_file=str(self.folder / "users.csv"),
            interaction_log=settings.interaction_log,
        )
        ingest(sources, FeedbackOptions(), settings.warehouse, self.outputs, pseudonyms=pseudonyms)

    def fill(self) -> None:
        settings, (ann, ben, *_) = self.settings("key"), map(OLD.of, USERS)
        log = InteractionLog(settings.interaction_log, key_check=OLD.check)
        log.record([Interaction("r1", ann, "i1", "click", NOW_US)])
        log.close()
        exposures = ExposureStore(settings.interaction_log)
        request = RecommendRequest(user_id=ann, followed_user_ids=[ben])
        request.history.add(user_id=ann, item_id="i1")
        exposures.append(
            [
                to_row(exposure("q1", ann, timestamp=NOW_US, request=request.SerializeToString())),
                to_row(exposure("q2", "", timestamp=NOW_US)),
            ]
        )
        exposures.close()
        set_personalized(settings, USERS[0], False)
        self.ingest(OLD)
        retract(settings.warehouse, "", [f"user_id={ben}", "item_id=i4"])
        policy, spine = FeedbackPolicy.read(self.outputs.feedback), self.folder / "spine"
        tables = (self.outputs.interactions, self.outputs.users)
        features = build(*tables, policy, NOW_US, "leave-one-out", settings.warehouse, spine)
        materialize(FeatureStoreAddresses(features, settings.registry, settings.online_store), NOW_US)
        (self.root / "runs" / "1" / "steps").mkdir(parents=True)
        (self.root / "runs" / "1" / "steps" / "output").write_text(ann)
        write_evaluation(self.evaluation, ann)

    @property
    def evaluation(self) -> Path:
        return self.root / "mlflow" / "artifacts" / "1" / FOLDER


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.fill()
    return home


def check_rotated(home: Home) -> None:
    assert [files_with(home.root, OLD.of(user)) for user in USERS] == [[]] * len(USERS)
    ann, ben = map(NEW.of, USERS[:2])
    settings = home.settings("keys")
    held = export_user(settings, USERS[0])
    assert held["stored_as"] == ann
    counts = {name: len(part["rows"]) for name, part in held["data"].items()}
    assert (counts["recorded_interactions"], counts["shown"], counts["attributes"]) == (1, 1, 1)
    assert counts["ingested_interactions"] == 6  # five of the file, one of the log
    assert counts["features"] > 0
    assert not is_personalized(settings, USERS[0])
    exposures = ExposureStore(settings.interaction_log)
    (shown,) = exposures.of_request("q1")
    assert exposures.of_request("q2")[0].user_id == ""
    exposures.close()
    request = RecommendRequest.FromString(shown.request)
    named = (shown.user_id, request.user_id, request.history[0].user_id, *request.followed_user_ids)
    assert named == (ann, ann, ann, ben)
    (retraction,) = Warehouse(settings.warehouse).watermarks.retractions
    assert retraction.conditions == [f"user_id={ben}", "item_id=i4"]
    evaluation = StoredEvaluation.read(home.evaluation)
    assert evaluation.answers.user_ids[0] == ann
    assert int(hash_ids([ann])[0]) in evaluation.users.tolist()
    # What comes next belongs to the same users.
    home.ingest(NEW)
    assert set(pq.read_table(home.outputs.interactions)["user_id"].to_pylist()) == set(map(NEW.of, USERS))


def test_a_home_has_the_new_key_everywhere_and_refuses_the_old_one(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exposures_key_rotation, "SCANNED", 1)
    assert files_with(home.root, OLD.of(USERS[0]))
    assert rotate_key(home.settings("key"), home.folder / "keys") == HELD
    check_rotated(home)
    log = InteractionLog(home.settings("key").interaction_log, key_check=OLD.check)
    with pytest.raises(WrongPseudonymKey):
        log.open()
    with pytest.raises(StepError, match="made with another key"):
        rotate_key(home.settings("key"), home.folder / "keys")


def test_an_interrupted_rotation_is_ended_by_its_repeat(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(warehouse: str, new: Pseudonyms) -> None:
        rekey(warehouse, new)
        raise OSError("full")

    rekey = warehouse_ids.rekey
    for failing in (Mock(side_effect=OSError("full")), interrupted):
        with monkeypatch.context() as patch:
            patch.setattr(warehouse_ids, "rekey", failing)
            with pytest.raises(OSError, match="full"):
                rotate_key(home.settings("key"), home.folder / "keys")
    assert rotate_key(home.settings("key"), home.folder / "keys") == HELD
    check_rotated(home)


def test_users_without_rows_in_the_warehouse_get_the_new_key_and_can_be_erased(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = home.settings("key")
    ann = OLD.of(USERS[0])
    retract(settings.warehouse, "users.csv", [])
    retract(settings.warehouse, "", [f"user_id={ann}"])
    for file in ("ranking/7/manifest.json", "interest/7/saved_model.pb"):
        path = Path(settings.releases) / file
        path.parent.mkdir(parents=True)
        path.touch()
    assert ann not in warehouse_ids.stored_ids(settings.warehouse)
    with monkeypatch.context() as patch:
        patch.setattr(warehouse_ids, "rekey", Mock(side_effect=OSError("full")))
        with pytest.raises(OSError, match="full"):
            rotate_key(settings, home.folder / "keys")
    assert rotate_key(settings, home.folder / "keys") == HELD
    assert files_with(home.root, ann) == []
    receipt, _ = erase_user(home.settings("keys"), USERS[0])
    removed = {part["what"]: part["count"] for part in receipt.removed}
    assert removed["rows of features, of this snapshot and of earlier ones"] > 0
    assert removed["rows of evaluations"] == 2  # an answer and a hash
    assert receipt.tainted_releases == [7]
    assert files_with(home.root, NEW.of(USERS[0])) == []


def test_an_id_that_nothing_had_when_the_rotation_began_is_refused(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(online_rows, "erase_all", Mock(side_effect=OSError("full")))
        with pytest.raises(OSError, match="full"):
            rotate_key(home.settings("key"), home.folder / "keys")
    (table,) = Path(home.evaluation).glob(ANSWERS)
    replace_ids(str(table), dict.fromkeys(stored_ids(str(table)), "late"))
    with pytest.raises(StepError, match=r"answers\.parquet has the user id 'late', which was in no store"):
        rotate_key(home.settings("key"), home.folder / "keys")


def test_a_log_of_an_earlier_version_which_holds_ids_keeps_them(tmp_path: Path) -> None:
    home = Home(tmp_path)
    log = InteractionLog(home.settings("key").interaction_log)
    log.record([Interaction("r1", USERS[0], "i1", "click", NOW_US)])
    with pytest.raises(
        WrongPseudonymKey, match="holds user ids, because it was made without a pseudonym key"
    ):
        rotate_key(home.settings("key"), tmp_path / "keys")
    assert len(log.since(USERS[0], 0)) == 1
    log.close()


def test_a_running_experiment_keeps_the_arms_of_its_users(tmp_path: Path) -> None:
    home = Home(tmp_path)
    file_of(home.root).start(halves())
    with pytest.raises(HomeInUse, match="end it with `penchant experiment stop`, then repeat this"):
        rotate_key(home.settings("key"), tmp_path / "keys")


def test_erased_users_are_not_let_in_again_by_a_rotation(home: Home) -> None:
    erase_user(home.settings("key"), USERS[3])
    with pytest.raises(StepError, match="keeps erased users out"):
        rotate_key(home.settings("key"), home.folder / "keys")
    allow_user(home.settings("key"), USERS[3])
    assert rotate_key(home.settings("key"), home.folder / "keys") == HELD - 1


def test_the_new_file_must_have_the_old_keys_and_one_more(tmp_path: Path) -> None:
    home = Home(tmp_path)
    (tmp_path / "other").write_text(f"penchant-keys-1\n{SECOND}\n{FIRST}\n")
    for name in ("other", "key"):
        with pytest.raises(ValueError, match="and a new key, one a line"):
            rotate_key(home.settings("key"), tmp_path / name)
    with pytest.raises(ValueError, match="PENCHANT_PSEUDONYM_KEY_FILE is not set"):
        rotate_key(Settings(home=home.root), tmp_path / "keys")


def test_a_home_that_is_served_keeps_its_key(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_rotation, "running_model_server", lambda settings: "127.0.0.1:8500")
    with pytest.raises(HomeInUse, match="stop it, then repeat this"):
        rotate_key(home.settings("key"), home.folder / "keys")
    assert files_with(home.root, OLD.of(USERS[0]))


def test_the_command_says_what_comes_next(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENCHANT_PSEUDONYM_KEY_FILE", str(home.folder / "key"))
    arguments = ["rotate-key", str(home.folder / "keys"), "--home", str(home.root)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert f"The pseudonyms of {HELD} users have the new key" in result.output
    assert CliRunner().invoke(app, arguments).exit_code == 1
    monkeypatch.setenv("PENCHANT_PSEUDONYM_KEY_FILE", str(home.folder / "keys"))
    assert CliRunner().invoke(app, arguments).exit_code == 2
