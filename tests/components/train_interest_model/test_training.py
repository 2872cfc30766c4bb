"""Whole trainings on small data sets with an obvious answer."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from components.errors import StepError
from components.saved_model import ServedModel
from components.train_interest_model.export.saved_weights import SavedWeights
from components.train_interest_model.hyperparameters import Hyperparameters
from components.train_interest_model.loop import next_step_loss
from components.train_interest_model.loop.trainer import Trainer
from components.train_interest_model.loop.training_checkpoint import Checkpoint, TrainingState
from components.train_interest_model.network.losses import draw_items
from components.train_interest_model.network.model import InterestModel
from components.train_interest_model.training import train
from components.train_interest_model.training_start import start_refit
from components.train_interest_model.warm_start import TRAINED_UNTIL
from feature_repo import attributes
from feature_repo.attributes import Attributes
from feature_repo.event_types import Kind
from feature_repo.feedback import FeedbackPolicy
from feature_repo.histories import History, encode
from serving.release.item_embeddings import load_embeddings
from tests.components.train_interest_model.conftest import (
    LONG,
    SECOND,
    SMALL,
    RecordingTracker,
    World,
    cycle_rows,
    history_row,
    items_table,
    shuffled_rows,
    write_world,
)

NDCG = "validation_ndcg_at_10"
COMPRESSED: dict[str, Any] = {
    "epochs": 1,
    "embedding_precision": "int8",
    "pruning": 0.75,
    "use_user_attributes": True,
}


def fit(
    world: World, output: Path, split: str = "train", base: Path | None = None, **settings: Any
) -> dict[str, float]:
    chosen, tracker = {**SMALL, **settings}, RecordingTracker()
    return train(world.training_set, world.items, split, chosen, output, base, tracker, FeedbackPolicy())


def test_an_lstm_learns_the_cycle(learned_cycle: Path, learned_cycle_tracker: RecordingTracker) -> None:
    assert learned_cycle_tracker.metrics[-1][1][NDCG] > 0.9
    assert follower(learned_cycle, "i7", "i8") == "i9"


@pytest.mark.parametrize("encoder", ["gru", "rnn", "cnn"])
def test_each_other_encoder_learns_the_cycle(encoder: str, cycle: World, tmp_path: Path) -> None:
    figures = fit(cycle, tmp_path, encoder=encoder, epochs=8)
    assert figures[NDCG] > 0.9
    assert follower(tmp_path, "i7", "i8") == "i9"


@pytest.mark.usefixtures("without_export")
def test_a_sampled_softmax_learns_the_cycle_from_factors(
    cycle: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, start_from = list[NDArray[np.float32]](), InterestModel.start_from

    def noted(model: InterestModel, factors: NDArray[np.float32]) -> None:
        started.append(factors)
        start_from(model, factors)

    monkeypatch.setattr(InterestModel, "start_from", noted)
    figures = fit(cycle, tmp_path, loss="sampled", negatives=64, epochs=6, item_start="factors")

    assert figures[NDCG] > 0.9
    (factors,) = started
    nearest = np.argsort(-(factors @ factors.T)[30])[:5]
    assert set(nearest) == {28, 29, 30, 31, 32}


@pytest.mark.usefixtures("without_export")
def test_a_part_with_all_trained_items_has_the_loss_of_the_full_softmax(tmp_path: Path) -> None:
    item_ids = [f"i{position}" for position in range(1_000)]
    world = write_world(tmp_path, cycle_rows(item_ids[500:560], users=40, length=12), items_table(item_ids))
    losses = [fit(world, tmp_path / loss, loss=loss, epochs=2)["loss"] for loss in ("full", "part")]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


@pytest.mark.usefixtures("without_export")
@pytest.mark.parametrize("loss", ["full", "part", "sampled"])
def test_seen_items_are_no_alternatives_if_they_are_filtered_and_no_negatives(
    loss: str, tmp_path: Path
) -> None:
    """A window has 12 of 40 items; without those before a target, chance alone is a smaller loss."""
    item_ids = [f"i{position}" for position in range(40)]
    world = write_world(tmp_path, shuffled_rows(item_ids, users=40, length=12), items_table(item_ids))
    losses = {
        (seen, negatives): fit(
            world,
            tmp_path / f"{seen}-{negatives}",
            loss=loss,
            epochs=1,
            learning_rate=1e-9,
            seen_items=seen,
            seen_negatives=negatives,
        )["loss"]
        for seen in ("filter", "keep")
        for negatives in ("on", "off")
    }
    by_chance = [np.log(40)] + [np.log(40 - seen) for seen in range(1, 12)]
    assert losses["filter", "on"] == losses["keep", "on"] == losses["keep", "off"]
    assert losses["filter", "on"] == pytest.approx(np.log(40), rel=0.03)
    assert losses["filter", "off"] == pytest.approx(np.mean(by_chance), rel=0.03)


@pytest.mark.usefixtures("without_export")
@pytest.mark.parametrize("members", [1, 2])
def test_a_softmax_over_a_part_of_the_items_learns_the_cycle(
    members: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    item_ids = [f"i{position}" for position in range(600)]
    world = write_world(tmp_path, cycle_rows(item_ids, users=600, length=12), items_table(item_ids))
    counts = list[int]()

    def noted(targets: tf.Tensor, bias: tf.Tensor, count: int, seed: tf.Tensor) -> Any:
        counts.append(count)
        return draw_items(targets, bias, count, seed)

    monkeypatch.setattr(next_step_loss, "draw_items", noted)
    figures = fit(world, tmp_path, loss="part", members=members, epochs=4)
    assert set(counts) == {237}  # MAX_HISTORY, and a sixteenth
    assert figures[NDCG] > 0.9


@pytest.mark.usefixtures("without_export")
@pytest.mark.parametrize("encoder", ["lstm", "cnn"])
def test_no_encoder_learns_a_random_order(encoder: str, tmp_path: Path) -> None:
    """By chance NDCG@10 among 48 unseen items is 4.54 / 48 = 0.095, with a deviation of 0.017."""
    item_ids = [f"i{position}" for position in range(60)]
    world = write_world(tmp_path, shuffled_rows(item_ids, users=160, length=12), items_table(item_ids))
    assert 0.02 < fit(world, tmp_path / "out", encoder=encoder, epochs=6)[NDCG] < 0.19


@pytest.mark.usefixtures("without_export")
def test_a_training_is_reproducible_for_any_order_of_the_rows(
    cycle: World, learned_cycle: Path, learned_cycle_tracker: RecordingTracker, tmp_path: Path
) -> None:
    rows = pq.read_table(cycle.training_set)
    shuffled = rows.take(np.random.default_rng(1).permutation(len(rows)))
    pq.write_table(shuffled, tmp_path / "shuffled.parquet")
    again = replace(cycle, training_set=tmp_path / "shuffled.parquet")
    second = fit(again, tmp_path / "second", **LONG)
    first = learned_cycle_tracker.metrics
    assert max(metrics[NDCG] for _, metrics in first) == second[NDCG]
    assert first[-1][1]["loss"] == second["loss"]
    assert_same_weights(learned_cycle, tmp_path / "second")


def paired_rows(users: int, minutes: float) -> list[dict[str, Any]]:
    """Return rows of random pairs: a<n>, and `minutes` later b<n>; queries ask for the partner of an a<n>."""
    random, rows = np.random.default_rng(0), []
    for user in range(users):
        pairs = random.permutation(30)[:7]
        walk = [f"{letter}{pair}" for pair in pairs for letter in "ab"]
        train, query = (
            history_row(f"u{user}", "train", walk[:12]),
            history_row(f"u{user}", "validation", walk[:13], walk[13]),
        )
        for row in (train, query):
            row["timestamps"] = [
                int((10 * (position // 2) + minutes * (position % 2)) * 60 * SECOND) + SECOND
                for position in range(len(row["item_ids"]))
            ]
            row["cutoff"] = row["timestamps"][-1] + SECOND
        rows += [train, query]
    return rows


@pytest.mark.usefixtures("without_export")
def test_interactions_of_one_step_do_not_predict_each_other(tmp_path: Path) -> None:
    """By chance NDCG@10 among 47 unseen items is 4.54 / 47 = 0.097."""
    items = items_table([f"{letter}{pair}" for pair in range(30) for letter in "ab"])
    apart = write_world(tmp_path / "apart", paired_rows(160, minutes=1), items)
    together = write_world(tmp_path / "together", paired_rows(160, minutes=0), items)
    assert fit(apart, tmp_path / "a", epochs=8)[NDCG] > 0.8
    assert fit(together, tmp_path / "t", epochs=8)[NDCG] < 0.15


@pytest.mark.usefixtures("without_export")
def test_both_items_of_a_step_are_predicted_from_the_step_before(tmp_path: Path) -> None:
    """Steps of two items follow a cycle; a query's target is one of the two items of the next step."""
    random, rows = np.random.default_rng(0), []
    for user in range(160):
        start, side = int(random.integers(30)), user % 2
        walk = [f"{letter}{(start + step) % 30}" for step in range(7) for letter in "ab"]
        train = history_row(f"u{user}", "train", walk[:12])
        train["timestamps"] = [(1 + position // 2) * 60 * SECOND for position in range(12)]
        query = {**train, "split": "validation", "target_item_id": walk[12 + side]}
        rows += [train, query]
    items = items_table([f"{letter}{pair}" for pair in range(30) for letter in "ab"])
    figures = fit(write_world(tmp_path, rows, items), tmp_path / "out", epochs=10)
    assert figures["validation_hr_at_10"] > 0.95
    # Both items of a step are equally likely: the mean of ranks 1 and 2 is (1 + 0.63) / 2.
    assert figures[NDCG] == pytest.approx(0.815, abs=0.06)


def with_hated_item(walk: list[str], user: int, event_type: str) -> dict[str, Any]:
    """Return a training row in which every second interaction is of the item "bad"."""
    row = history_row(f"u{user}", "train", [item for chosen in walk for item in (chosen, "bad")])
    row["event_types"] = ["view", event_type] * len(walk)
    return row


@pytest.mark.parametrize("event_type", ["dislike", "view"])
def test_a_disliked_item_is_no_target(event_type: str, cycle: World, tmp_path: Path) -> None:
    random, rows = np.random.default_rng(0), []
    for user in range(160):
        start = int(random.integers(60))
        rows.append(
            with_hated_item([f"i{(start + step) % 60}" for step in range(8)], user, event_type=event_type)
        )
    items = items_table([*cycle.item_ids, "bad"])
    fit(write_world(tmp_path, rows, items), tmp_path / "out", epochs=6, seen_items="keep")
    bias = SavedWeights.load(tmp_path / "out").arrays["interest_model/item_bias"]
    hated_rank = int(np.count_nonzero(bias >= bias[-1]))
    assert hated_rank == (61 if event_type == "dislike" else 1)
    history = ["i6", "bad", "i7"]  # a disliked item is not read
    next_item = follower(tmp_path / "out", *history, events=("view", event_type))
    assert next_item == ("i8" if event_type == "dislike" else "bad")


def test_a_dislike_that_training_did_not_see_does_not_change_the_interest(
    learned_cycle: Path,
) -> None:
    with ServedModel(learned_cycle / "saved_model") as served:
        answers = []
        for last in ("", "dislike", "never heard of", "like"):
            events = ["view", last] if last else ["view"]
            history = History(
                [], ["i3", "i9"][: len(events)], events, [1.0] * len(events), [SECOND] * len(events)
            )
            inputs = encode([history]) | attributes.encode([Attributes()])
            answers.append(served.run("serving_default", inputs)["state"])
    alone, disliked, unknown, liked = answers
    # The shapes differ by the padding, and so may the last bit.
    np.testing.assert_allclose(alone, disliked, atol=1e-6)
    np.testing.assert_allclose(alone, unknown, atol=1e-6)
    assert np.abs(alone - liked).max() > 1e-3


def test_no_positive_interaction_raises(cycle: World, tmp_path: Path) -> None:
    nothing = FeedbackPolicy(kinds={"view": Kind.NEUTRAL, "click": Kind.NEUTRAL})
    with pytest.raises(StepError, match=r"none of the 1,920 interactions .* is positive: .*--positive"):
        train(
            cycle.training_set,
            cycle.items,
            "train",
            SMALL,
            tmp_path,
            None,
            RecordingTracker(),
            feedback=nothing,
        )


def test_a_diverged_training_names_epoch_loss_and_learning_rate(cycle: World, tmp_path: Path) -> None:
    with pytest.raises(
        StepError,
        match=r"diverged in epoch \d/3: loss .*learning rate is 1e\+37\. .*--set learning_rate=3\.3e\+36",
    ):
        fit(cycle, tmp_path, epochs=3, learning_rate=1e37)


@pytest.mark.usefixtures("without_export")
def test_a_killed_training_resumes_to_the_same_weights(
    cycle: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {"epochs": 3, "dropout": 0.2, "loss": "sampled", "negatives": 40}
    uninterrupted, resumed = tmp_path / "uninterrupted", tmp_path / "resumed"
    save = Checkpoint.save

    def save_and_copy(self: Checkpoint, state, model, optimizer) -> None:  # type: ignore[no-untyped-def]
        save(self, state, model, optimizer)
        if state.epoch == 1:  # what a kill would leave
            shutil.copytree(uninterrupted, resumed)

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "save", save_and_copy)
        fit(cycle, uninterrupted, **settings)
    assert (uninterrupted / "saved_model").exists()
    assert not (resumed / "saved_model").exists()
    epochs = list[int]()
    run_epoch = Trainer._epoch

    def count_epoch(*arguments: Any) -> Any:
        epochs.append(1)
        return run_epoch(*arguments)

    monkeypatch.setattr(Trainer, "_epoch", count_epoch)
    fit(cycle, resumed, **settings)
    assert len(epochs) == 2
    assert_same_weights(uninterrupted, resumed)


def test_another_trainings_checkpoint_is_ignored(cycle: World, tmp_path: Path) -> None:
    mine, other = Checkpoint(str(tmp_path), "mine"), Checkpoint(str(tmp_path), "another")
    other.save(TrainingState(epoch=3), [np.ones(2)], [])
    assert mine.load() is None
    loaded = other.load()
    assert loaded is not None
    assert loaded[0].epoch == 3


def test_a_refit_keeps_the_learned_items_and_learns_new_ones(
    cycle: World, learned_cycle: Path, tmp_path: Path
) -> None:
    # The catalog has new items and another order, and one event type is new.
    grown = [*reversed(cycle.item_ids), "new0", "new1"]
    rows = cycle_rows(cycle.item_ids, users=60, length=10, seed=5)
    rows += [history_row(f"n{user}", "all", ["i3", "new0", "new1"] * 3) for user in range(200)]
    rows[-1]["event_types"][0] = "purchase"
    world = write_world(tmp_path / "grown", rows, items_table(grown))
    untouched = fit(
        world,
        tmp_path / "validated",
        base=learned_cycle,
        refit_epoch_share=0.1,
        refit_learning_rate_share=1e-6,
    )
    assert untouched[NDCG] > 0.9
    long = {"refit_epoch_share": 0.99, "refit_learning_rate_share": 0.9}
    fit(world, tmp_path / "refit", "all", base=learned_cycle, **long)
    assert not (tmp_path / "refit" / TRAINED_UNTIL).exists()  # no training starts warm from a refit
    refitted = SavedWeights.load(tmp_path / "refit")
    assert refitted.vocabulary.item_ids == grown
    assert refitted.vocabulary.event_types == ["click", "view", "purchase"]
    assert follower(tmp_path / "refit", "new0") == "new1"
    assert follower(tmp_path / "refit", "i20") == "i21"


@pytest.mark.usefixtures("without_export")
def test_an_item_without_interactions_is_recommended_by_its_content(tmp_path: Path) -> None:
    """Each of eight topics has its own users, and four items that are not in the training rows."""
    random = np.random.default_rng(0)
    topics = [[f"t{topic}-{position}" for position in range(12)] for topic in range(8)]
    rows = []
    for user in range(240):
        trained = topics[user % 8][:8]
        rows.append(
            history_row(f"u{user}", "train", [trained[position] for position in random.permutation(8)])
        )
    for user in range(240, 320):
        trained, held_out = topics[user % 8][:8], topics[user % 8][8:]
        history = [trained[position] for position in random.permutation(8)[:6]]
        rows.append(history_row(f"u{user}", "validation", history, held_out[user % 4]))
    item_ids = [item for topic in topics for item in topic]
    items = items_table(item_ids, categories=[[item.split("-")[0]] for item in item_ids])
    world = write_world(tmp_path, rows, items)
    hit_rate = fit(world, tmp_path / "with", epochs=8)["validation_hr_at_10"]
    without = fit(world, tmp_path / "without", epochs=8, use_content=False)["validation_hr_at_10"]
    chance = 10 / (len(item_ids) - 6)
    assert hit_rate > 5 * chance
    assert without < 2 * chance


def test_a_new_user_gets_items_of_users_with_the_same_attributes(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Users of two regions choose different halves of the items; the queries have no history."""
    halves = {
        "north": [f"n{position}" for position in range(15)],
        "south": [f"s{position}" for position in range(15)],
    }
    random = np.random.default_rng(0)
    rows = []
    for user in range(160):
        home, liked = list(halves.items())[user % 2]
        walk = [liked[position] for position in random.permutation(15)[:8]]
        rows.append(history_row(f"u{user}", "train", walk, home=home, age=20 + user % 30))
        rows.append(history_row(f"c{user}", "validation", [], liked[user % 15], home=home, age=30))
    items = halves["north"] + halves["south"]
    world = write_world(tmp_path, rows, items_table(items))
    with_attributes = fit(world, tmp_path / "with_attributes", epochs=6, use_user_attributes=True)[
        "validation_hr_at_10"
    ]
    request.getfixturevalue("without_export")
    without_attributes = fit(world, tmp_path / "without_attributes", epochs=6)["validation_hr_at_10"]
    assert with_attributes == pytest.approx(10 / 15, abs=0.1)
    assert without_attributes == pytest.approx(10 / 30, abs=0.1)
    served = ServedModel(tmp_path / "with_attributes" / "saved_model")
    for home, liked in halves.items():
        known = attributes.encode([Attributes.of({"home": home, "hair": "never seen in training"})])
        best = served.run("top_items", encode([History()]) | known)["item_ids"][0]
        assert {item.decode() for item in best[:10]} <= set(liked)
    served.close()


@pytest.fixture(scope="module")
def compressed(cycle: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a training with `COMPRESSED`."""
    output = tmp_path_factory.mktemp("compressed")
    fit(cycle, output, **COMPRESSED)
    return output


def test_attributes_are_switched_off_when_no_user_has_any(cycle: World, compressed: Path) -> None:
    assert COMPRESSED["use_user_attributes"]
    assert not SavedWeights.load(compressed).hyperparameters.use_user_attributes
    chosen = Hyperparameters.from_dict({**SMALL, **COMPRESSED})
    _, refit, _ = start_refit(cycle.training_set, cycle.items, "all", chosen, compressed, FeedbackPolicy())
    assert not refit.use_user_attributes


@pytest.mark.usefixtures("learned_cycle")
def test_params_metrics_and_data_sets_are_tracked(
    cycle: World, learned_cycle_tracker: RecordingTracker
) -> None:
    tracker = learned_cycle_tracker
    assert tracker.params["units"] == 24
    assert tracker.params["epochs"] == LONG["epochs"]
    assert tracker.params["start"] == "cold"
    assert [step for step, figures in tracker.metrics if "loss" in figures] == [*range(1, 9)]
    assert tracker.datasets == [cycle.training_set]


def test_an_empty_split_and_an_incomplete_base_model_raise(cycle: World, tmp_path: Path) -> None:
    with pytest.raises(StepError, match="no interaction in split 'nights'"):
        fit(cycle, tmp_path, "nights")
    with pytest.raises(StepError, match=r"has no weights.npz, content.npz, interest_model.json"):
        fit(cycle, tmp_path / "out", base=tmp_path)


def follower(directory: Path, *items: str, events: tuple[str, str] = ("view", "click")) -> str:
    """Return the first item that the exported model recommends after `items`, one a minute."""
    served = ServedModel(directory / "saved_model")
    event_types = [events[position % 2] for position in range(len(items))]
    times = [60 * SECOND * (1 + position) for position in range(len(items))]
    values = [float(position) for position in range(len(items))]
    history = encode([History([], list(items), event_types, values, times)])
    answer = served.run("top_items", history | attributes.encode([Attributes()]))
    served.close()
    return str(answer["item_ids"][0, 0].decode())


def assert_same_weights(one: Path, other: Path) -> None:
    first, second = SavedWeights.load(one), SavedWeights.load(other)
    assert first.arrays.keys() == second.arrays.keys()
    for path, array in first.arrays.items():
        np.testing.assert_array_equal(array, second.arrays[path], err_msg=path)
    assert json.loads((one / "interest_model.json").read_text())["epochs"] == second.epochs


def test_the_served_model_is_compressed_and_the_saved_weights_are_not(compressed: Path) -> None:
    assert load_embeddings(compressed)[1] == "int8"
    reader = tf.train.load_checkpoint(str(compressed / "saved_model/variables/variables"))
    served = [reader.get_tensor(name) for name in reader.get_variable_to_shape_map() if "weights" in name]
    kernels = next(array for array in served if array.shape == (16 + 24, 4 * 24))  # of input and state
    assert np.count_nonzero(kernels == 0) == pytest.approx(0.75 * kernels.size, abs=2)
    saved = SavedWeights.load(compressed).arrays
    recurrent_kernels = [array for path, array in saved.items() if path.endswith("/recurrent_kernel")]
    assert recurrent_kernels
    assert all(np.all(array != 0) for array in recurrent_kernels)
