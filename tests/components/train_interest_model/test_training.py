"""Whole trainings on small worlds whose answer is planted."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from components.errors import StepError
from components.saved_model import ServedModel
from components.train_interest_model.export.forecast import future_interests
from components.train_interest_model.export.saved_weights import SavedWeights
from components.train_interest_model.loop.checkpoint import Checkpoint, TrainingState
from components.train_interest_model.loop.trainer import Trainer
from components.train_interest_model.training import train
from feature_repo import attributes
from feature_repo.attributes import Attributes
from feature_repo.histories import History, encode
from serving.release.item_embeddings import load_embeddings
from tests.components.train_interest_model.conftest import (
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


def fit(
    world: World, output: Path, split: str = "train", base: Path | None = None, **settings: Any
) -> dict[str, float]:
    return train(
        world.training_set, world.items, split, {**SMALL, **settings}, output, base, RecordingTracker()
    )


@pytest.mark.parametrize("encoder", ["lstm", "gru", "rnn", "cnn"])
def test_each_encoder_learns_the_cycle(encoder: str, cycle: World, tmp_path: Path) -> None:
    figures = fit(cycle, tmp_path, encoder=encoder, epochs=12)
    assert figures[NDCG] > 0.9
    served, embeddings = ServedModel(tmp_path / "saved_model"), np.load(tmp_path / "item_embeddings.npy")
    walked = History([], ["i7", "i8"], ["view", "click"], [0.0, 1.0], [60 * SECOND, 120 * SECOND])
    interests, path = future_interests(served, walked, cycle.item_ids, embeddings, steps=4)
    served.close()
    assert path == ["i9", "i10", "i11", "i12"]
    assert interests.shape == (5, 17)
    assert (interests @ embeddings.T)[np.arange(4), [9, 10, 11, 12]].min() > 0


def test_a_sampled_softmax_learns_the_cycle_too(cycle: World, tmp_path: Path) -> None:
    """There only the rows of a step are touched; 64 negatives stand for 60 items."""
    figures = fit(cycle, tmp_path, loss="sampled", negatives=64, epochs=12)
    assert figures[NDCG] > 0.9


@pytest.mark.parametrize("encoder", ["lstm", "cnn"])
def test_no_encoder_learns_an_order_that_says_nothing(encoder: str, tmp_path: Path) -> None:
    """Chance among 48 unseen items is 4.54 / 48 = 0.095, give or take 0.017 over 160 queries."""
    item_ids = [f"i{place}" for place in range(60)]
    world = write_world(tmp_path, shuffled_rows(item_ids, users=160, length=12), items_table(item_ids))
    assert 0.02 < fit(world, tmp_path / "out", encoder=encoder, epochs=6)[NDCG] < 0.19


def test_the_same_seed_gives_the_same_weights_and_figures_in_any_order_of_rows(
    cycle: World, tmp_path: Path
) -> None:
    first = fit(cycle, tmp_path / "first", epochs=3, dropout=0.2)
    rows = pq.read_table(cycle.training_set)
    shuffled = rows.take(np.random.default_rng(1).permutation(len(rows)))
    pq.write_table(shuffled, tmp_path / "shuffled.parquet")
    again = replace(cycle, training_set=tmp_path / "shuffled.parquet")
    second = fit(again, tmp_path / "second", epochs=3, dropout=0.2)
    assert first[NDCG] == second[NDCG]
    assert first["loss"] == second["loss"]
    assert_same_weights(tmp_path / "first", tmp_path / "second")


class Killed(BaseException):
    """Stands for a process that dies right after it wrote a checkpoint."""


def test_a_killed_training_resumes_to_the_weights_of_an_unbroken_one(
    cycle: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {"epochs": 4, "dropout": 0.2, "loss": "sampled", "negatives": 40}
    fit(cycle, tmp_path / "unbroken", **settings)
    save = Checkpoint.save

    def save_and_die(self: Checkpoint, state, model, optimizer) -> None:  # type: ignore[no-untyped-def]
        save(self, state, model, optimizer)
        if state.epoch == 2:
            raise Killed

    monkeypatch.setattr(Checkpoint, "save", save_and_die)
    with pytest.raises(Killed):
        fit(cycle, tmp_path / "broken", **settings)
    assert not (tmp_path / "broken" / "saved_model").exists()
    monkeypatch.undo()
    epochs = list[int]()
    run_epoch = Trainer._epoch

    def count_epoch(*arguments: Any) -> Any:
        epochs.append(1)
        return run_epoch(*arguments)

    monkeypatch.setattr(Trainer, "_epoch", count_epoch)
    fit(cycle, tmp_path / "broken", **settings)
    assert len(epochs) == 2
    assert_same_weights(tmp_path / "unbroken", tmp_path / "broken")


def test_another_trainings_checkpoint_is_not_taken_up(cycle: World, tmp_path: Path) -> None:
    mine, other = Checkpoint(tmp_path, "mine"), Checkpoint(tmp_path, "another")
    other.save(TrainingState(epoch=3), [np.ones(2)], [])
    assert mine.load() is None
    loaded = other.load()
    assert loaded is not None
    assert loaded[0].epoch == 3


def test_a_refit_keeps_what_was_learned_of_each_item_and_learns_new_ones(
    cycle: World, tmp_path: Path
) -> None:
    fit(cycle, tmp_path / "base", epochs=12)
    # The catalog has grown, stands in another order, and one event type is new.
    grown = [*reversed(cycle.item_ids), "new0", "new1"]
    rows = cycle_rows(cycle.item_ids, users=60, length=10, seed=5)
    rows += [history_row(f"n{user}", "all", ["i3", "new0", "new1"] * 3) for user in range(200)]
    rows[-1]["event_types"][0] = "buy"
    world = write_world(tmp_path / "grown", rows, items_table(grown))
    untouched = fit(
        world,
        tmp_path / "validated",
        base=tmp_path / "base",
        refit_epoch_share=0.1,
        refit_learning_rate_share=1e-6,
    )
    assert untouched[NDCG] > 0.9
    long = {"refit_epoch_share": 0.99, "refit_learning_rate_share": 0.9}
    fit(world, tmp_path / "refit", "all", base=tmp_path / "base", **long)
    refitted = SavedWeights.load(tmp_path / "refit")
    assert refitted.vocabulary.item_ids == grown
    assert refitted.vocabulary.event_types == ["click", "view", "buy"]
    assert follower(tmp_path / "refit", "new0") == "new1"
    assert follower(tmp_path / "refit", "i20") == "i21"


def test_a_held_out_item_is_found_by_its_content(tmp_path: Path) -> None:
    """Eight topics, each walked by its own users; four items of each are in no training row."""
    random = np.random.default_rng(0)
    topics = [[f"t{topic}-{place}" for place in range(12)] for topic in range(8)]
    rows = []
    for user in range(240):
        known = topics[user % 8][:8]
        rows.append(history_row(f"u{user}", "train", [known[place] for place in random.permutation(8)]))
    for user in range(240, 320):
        known, held_out = topics[user % 8][:8], topics[user % 8][8:]
        history = [known[place] for place in random.permutation(8)[:6]]
        rows.append(history_row(f"u{user}", "validation", history, held_out[user % 4]))
    item_ids = [item for topic in topics for item in topic]
    items = items_table(item_ids, categories=[[item.split("-")[0]] for item in item_ids])
    world = write_world(tmp_path, rows, items)
    hit_rate = fit(world, tmp_path / "with", epochs=15)["validation_hr_at_10"]
    without = fit(world, tmp_path / "without", epochs=15, use_content=False)["validation_hr_at_10"]
    chance = 10 / (len(item_ids) - 6)
    assert hit_rate > 5 * chance
    assert without < 2 * chance


def test_a_cold_user_gets_the_items_of_who_is_alike(tmp_path: Path) -> None:
    """Two peoples, of whom each likes its own half of the items; those asked about have no history."""
    halves = {"north": [f"n{place}" for place in range(15)], "south": [f"s{place}" for place in range(15)]}
    random = np.random.default_rng(0)
    rows = []
    for user in range(160):
        home, liked = list(halves.items())[user % 2]
        walk = [liked[place] for place in random.permutation(15)[:8]]
        rows.append(history_row(f"u{user}", "train", walk, home=home, age=20 + user % 30))
        rows.append(history_row(f"c{user}", "validation", [], liked[user % 15], home=home, age=30))
    items = halves["north"] + halves["south"]
    world = write_world(tmp_path, rows, items_table(items))
    knowing = fit(world, tmp_path / "knowing", epochs=6, use_user_attributes=True)["validation_hr_at_10"]
    blind = fit(world, tmp_path / "blind", epochs=6)["validation_hr_at_10"]
    assert knowing == pytest.approx(10 / 15, abs=0.1)
    assert blind == pytest.approx(10 / 30, abs=0.1)
    served = ServedModel(tmp_path / "knowing" / "saved_model")
    for home, liked in halves.items():
        known = attributes.encode([Attributes.of({"home": home, "hair": "never seen in training"})])
        best = served.run("top_items", encode([History()]) | known)["item_ids"][0]
        assert {item.decode() for item in best[:10]} <= set(liked)
    served.close()


def test_attributes_that_nobody_has_are_done_without(cycle: World, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"epochs": 1, "use_user_attributes": True}
    fit(cycle, tmp_path / "base", **asked)
    fit(cycle, tmp_path / "refit", "all", base=tmp_path / "base", **asked)
    assert not SavedWeights.load(tmp_path / "refit").hyperparameters.use_user_attributes


def test_what_a_run_needs_to_be_understood_is_tracked(cycle: World, tmp_path: Path) -> None:
    tracker = RecordingTracker()
    train(cycle.training_set, cycle.items, "train", {**SMALL, "epochs": 2.0}, tmp_path, None, tracker)
    assert tracker.params["units"] == 24
    assert tracker.params["epochs"] == 2
    assert tracker.params["starts_from"] == "nothing"
    assert [step for step, figures in tracker.metrics if "loss" in figures] == [1, 2]
    assert tracker.datasets == [cycle.training_set]


def test_an_empty_split_and_a_foreign_base_model_are_named(cycle: World, tmp_path: Path) -> None:
    with pytest.raises(StepError, match="no interaction in split 'nights'"):
        fit(cycle, tmp_path, "nights")
    with pytest.raises(StepError, match=r"lacks weights.npz, content.npz, interest_model.json"):
        fit(cycle, tmp_path / "out", base=tmp_path)


def follower(directory: Path, item: str) -> str:
    """The first item that the exported model answers after `item` alone."""
    served = ServedModel(directory / "saved_model")
    history = encode([History(["x"], [item], ["view"], [0.0], [60_000_000])])
    answer = served.run("top_items", history | attributes.encode([Attributes()]))
    served.close()
    return str(answer["item_ids"][0, 0].decode())


def assert_same_weights(one: Path, other: Path) -> None:
    first, second = SavedWeights.load(one), SavedWeights.load(other)
    assert first.arrays.keys() == second.arrays.keys()
    for path, array in first.arrays.items():
        np.testing.assert_array_equal(array, second.arrays[path], err_msg=path)
    assert json.loads((one / "interest_model.json").read_text())["epochs"] == second.epochs


def test_what_is_served_is_compressed_and_what_is_trained_on_is_not(cycle: World, tmp_path: Path) -> None:
    fit(cycle, tmp_path, epochs=1, embedding_precision="int8", pruning=0.75)
    assert load_embeddings(tmp_path)[1] == "int8"
    reader = tf.train.load_checkpoint(str(tmp_path / "saved_model/variables/variables"))
    served = [reader.get_tensor(name) for name in reader.get_variable_to_shape_map() if "weights" in name]
    kernels = next(array for array in served if array.shape == (16 + 24, 4 * 24))  # of input and state
    assert np.count_nonzero(kernels == 0) == pytest.approx(0.75 * kernels.size, abs=2)
    kept = SavedWeights.load(tmp_path).arrays
    recurrent_kernels = [array for path, array in kept.items() if path.endswith("/recurrent_kernel")]
    assert recurrent_kernels
    assert all(np.all(array != 0) for array in recurrent_kernels)
