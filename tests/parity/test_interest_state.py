"""The interest advanced from a stored state equals that of a replay of the whole history."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from components.materialize_features.materialization import materialize
from components.materialize_features.online_states import materialize_interests
from components.saved_model import SavedInterestModel, ServedModel
from components.train_interest_model.data.vocabulary import Vocabulary
from components.train_interest_model.export.saved_model_writer import export
from components.train_interest_model.hyperparameters import Hyperparameters
from components.train_interest_model.network.model import InterestModel
from feature_repo import attributes
from feature_repo.attributes import Attributes
from feature_repo.contract import FORECAST, FORECAST_STEPS, INTEREST, fingerprint
from feature_repo.histories import History, encode
from feature_repo.interaction import Interaction
from feature_repo.interest_state import InterestBatch, InterestState
from feature_repo.table_schemas import TRAINING_SET
from serving.interest.user_interest import UserInterest
from serving.online_store.online_features import OnlineFeatures
from serving.telemetry.metrics import Metrics
from serving.user_data.history_reader import HistoryReader
from serving.user_data.interaction_log import InteractionLog
from serving.user_history import UserHistory
from tests.feature_repo.planted import START, Warehouse, build_warehouse, interaction
from tests.serving.planted import interest_after

AS_OF = START + 60_000_000_000
ITEMS = [f"i{number}" for number in range(20)]
MINUTE = 60_000_000


def walk(user: str, first: int, count: int, at: int) -> list[Interaction]:
    """Return `count` interactions, one per minute from minute `at`."""
    return [
        interaction(user, ITEMS[(7 * (first + step)) % 20], (at + step) * MINUTE, value=step % 5)
        for step in range(count)
    ]


PLANTED = [*walk("ann", 0, 30, 1), *walk("bob", 3, 5, 1), interaction("cleo", ITEMS[0], MINUTE)]


USERS = pa.table({"user_id": ["ann", "cleo"], "hair": ["red", None], "age": [20, 40]})


class Exported:
    """An interest model that runs the exported SavedModel and records the number of steps of each call."""

    def __init__(self, directory: Path) -> None:
        self._served, self.steps = ServedModel(directory), list[int]()

    async def interest(
        self, histories: Sequence[History], version: int | None, timeout_s: float, users: Sequence[Attributes]
    ) -> NDArray[np.float32]:
        return self._run("serving_default", encode(histories) | attributes.encode(users))

    async def advance(
        self, interests: InterestBatch, histories: Sequence[History], version: int | None, timeout_s: float
    ) -> NDArray[np.float32]:
        states: dict[str, NDArray[np.generic]] = {"state": interests.state, "as_of": interests.as_of[:, None]}
        return self._run("advance", states | encode(histories))

    async def forecast(
        self,
        history: History,
        user: Attributes,
        version: int | None,
        timeout_s: float,
        state: InterestState | None,
    ) -> NDArray[np.float32]:
        if state is None:
            return self._run("serving_default", encode([history]) | attributes.encode([user]), FORECAST)[0]
        inputs = {"state": state.state[np.newaxis], "as_of": np.array([[state.as_of]])}
        return self._run("advance", inputs | encode([history]), FORECAST)[0]

    async def close(self) -> None:
        self._served.close()

    def _run(
        self, signature: str, inputs: dict[str, NDArray[np.generic]], output: str = INTEREST
    ) -> NDArray[np.float32]:
        self.steps.append(int((inputs["item_ids"] != "").sum()))
        result: NDArray[np.float32] = self._served.run(signature, inputs)[output]
        return result


def write_release(releases: Path, version: int, encoder: str, seed: int) -> None:
    """Export a model with random weights, so large that each step changes the interest."""
    tf.keras.utils.set_random_seed(seed)
    vocabulary = Vocabulary(
        ITEMS, ["view"], [0.0, 1.0, 2.0, 3.0, 4.0], ["hair=red", "age<0", "age<1"], {"age": [30.0]}
    )
    settings = Hyperparameters(
        encoder=encoder,
        members=1,
        embedding_size=8,
        units=10,
        layers=2,
        dropout=0.0,
        use_user_attributes=True,
    )
    model = InterestModel(settings, len(ITEMS), vocabulary.sizes, np.zeros((len(ITEMS), 0), np.float32))
    for variable in model.trainable_weights:
        variable.assign(tf.random.normal(variable.shape, stddev=0.5))
    model.forecast.persistence.assign(np.linspace(1, 0, FORECAST_STEPS))
    model.forecast.scale.assign(np.linspace(1, 0.5, FORECAST_STEPS))
    names = ("user_id", "target_item_id", "item_ids", "event_types", "values", "timestamps")
    probe = ["ann", None, ITEMS[:2], ["view"] * 2, [1.0, 2.0], [MINUTE, 2 * MINUTE]]
    row = dict(zip(names, probe, strict=True))
    probes = pa.Table.from_pylist([row], schema=TRAINING_SET)
    export(model, vocabulary, True, probes, releases / f"export-{version}")
    (releases / "interest").mkdir(exist_ok=True)
    (releases / f"export-{version}" / "saved_model").rename(releases / "interest" / str(version))
    (releases / "ranking" / str(version)).mkdir(parents=True)
    manifest = {"fingerprint": fingerprint()}
    (releases / "ranking" / str(version) / "manifest.json").write_text(json.dumps(manifest))


class World:
    """A warehouse whose snapshot is materialized under a live release, and the readers of serving."""

    def __init__(self, directory: Path, encoder: str) -> None:
        self.releases = directory / "releases"
        self.releases.mkdir()
        write_release(self.releases, 1, encoder, seed=1)
        (self.releases / "live.json").write_text(json.dumps({"version": 1}))
        self.warehouse = build_warehouse(directory / "warehouse", PLANTED, AS_OF, users=USERS)
        self.materialize(self.warehouse)
        self.model = Exported(self.releases / "interest" / "1")
        self.log = InteractionLog(f"sqlite:///{directory}/log.db")
        self.reader = HistoryReader(self.online, self.log)
        self.interests = UserInterest(self.model, Metrics())

    def materialize(self, warehouse: Warehouse, releases: bool = True) -> None:
        materialize(warehouse.addresses, warehouse.as_of, str(self.releases) if releases else "")

    def promote(self, version: int) -> None:
        with SavedInterestModel(self.releases / "interest" / str(version)) as model:
            materialize_interests(version, model.interests, self.warehouse.addresses)

    def online(self) -> OnlineFeatures:
        return OnlineFeatures(self.warehouse.addresses)

    def user(self, name: str) -> UserHistory:
        user = asyncio.run(self.reader.read(name, 10))
        assert user.degraded == ()
        return user

    def model_steps(self, user: UserHistory, version: int = 1) -> list[int]:
        """Return the steps of each call to the model; assert that the interest equals a replay's."""
        self.model.steps.clear()
        interest = asyncio.run(interest_after(self.interests, user, version))
        steps = list(self.model.steps)
        attributes = [Attributes.of(user.profile)]
        replayed = asyncio.run(self.model.interest([user.history], version, 10, attributes))[0]
        np.testing.assert_allclose(interest, replayed, atol=1e-4)
        self.check_forecast(user, interest, version)
        return steps

    def check_forecast(self, user: UserHistory, interest: NDArray[np.float32], version: int) -> None:
        """Assert that the forecast begins with the interest, changes, and equals a replay's."""
        forecast = asyncio.run(self.interests.forecast(user, version, 10))
        np.testing.assert_allclose(forecast[0], interest, atol=1e-4)
        assert np.abs(np.diff(forecast, axis=0)).max(axis=1).min() > 0.01
        whole = asyncio.run(self.model.forecast(user.history, Attributes.of(user.profile), version, 10, None))
        np.testing.assert_allclose(forecast, whole, atol=1e-4)

    def close(self) -> None:
        asyncio.run(self.model.close())
        for part in (self.log, self.reader):
            part.close()


@pytest.fixture(scope="module", params=["lstm", "cnn"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp(request.param), request.param)
    yield world
    world.close()


def test_the_first_interest_depends_on_user_attributes(world: World) -> None:
    """Cleo has a single interaction, so that her attributes still have an effect; Bob has no attributes."""
    for name, names in (("cleo", ["age"]), ("bob", [])):
        user = world.user(name)
        assert Attributes.of(user.profile).names == names
        without_attributes = asyncio.run(world.model.interest([user.history], 1, 10, [Attributes()]))[0]
        interest = asyncio.run(interest_after(world.interests, user, 1))
        difference = np.abs(interest - without_attributes).max()
        assert (difference > 1e-3) == bool(names)


def test_the_model_is_not_called_without_new_interactions(world: World) -> None:
    for name in ("ann", "bob", "cleo"):
        assert world.model_steps(world.user(name)) == []


def test_the_model_takes_as_many_steps_as_there_are_new_interactions(world: World) -> None:
    before = world.user("ann")
    world.log.record(walk("ann", 11, 3, 2_000))
    after = world.user("ann")
    assert (len(after.history), len(after.new)) == (33, 3)
    assert world.model_steps(after) == [3]
    state = before.interest_state
    assert state is not None
    replayed = asyncio.run(world.model.interest([after.history], 1, 10, [Attributes()]))[0]
    assert np.abs(replayed - state.interest).max() > 0.01


def test_a_late_interaction_is_replayed_at_its_position(world: World) -> None:
    world.log.record([interaction("bob", ITEMS[9], 2 * MINUTE + 1, id="late")])
    user = world.user("bob")
    assert user.history.interaction_ids.index("late") == 2
    assert world.model_steps(user) == [6]


def test_a_request_history_is_replayed(world: World) -> None:
    user = world.user("cleo")
    with_request_history = user.with_request_history(walk("cleo", 4, 2, 3_000))
    assert world.model_steps(with_request_history) == [3]


def test_a_user_without_a_snapshot_is_replayed(world: World) -> None:
    world.log.record(walk("new", 5, 4, 2_000))
    assert world.model_steps(world.user("new")) == [4]


def test_a_state_of_another_release_is_not_used(world: World) -> None:
    assert world.model_steps(world.user("cleo"), version=2) == [1]


def test_a_promotion_materializes_the_states_of_its_release(world: World) -> None:
    write_release(world.releases, 2, "gru", seed=2)
    world.promote(2)
    state = world.user("cleo").interest_state
    assert state is not None
    with SavedInterestModel(world.releases / "interest" / "2") as model:
        user = world.user("cleo")
        expected = model.interests([user.history], [Attributes.of(user.profile)])
    assert (state.release, state.as_of) == (2, START + MINUTE)
    np.testing.assert_allclose(state.state, expected.state[0], atol=1e-6)
    np.testing.assert_allclose(state.interest, expected.interest[0], atol=1e-6)
    world.promote(1)
    assert world.model_steps(world.user("cleo")) == []


def test_a_state_of_another_snapshot_is_not_used(world: World) -> None:
    newest = [*PLANTED, interaction("cleo", ITEMS[5], 9 * MINUTE)]
    newer = build_warehouse(world.warehouse.directory, newest, AS_OF + 1, users=USERS)
    world.materialize(newer, releases=False)
    user = world.user("cleo")
    assert (len(user.history), user.interest_state) == (2, None)
    world.materialize(newer)
    assert world.model_steps(world.user("cleo")) == []
