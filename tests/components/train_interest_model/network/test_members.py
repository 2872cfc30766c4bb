"""A model of two members equals the mean of two models, in its logits and its loss.

That holds while the history mean weighs all items alike, as at the start: the members share its weights.
"""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.train_interest_model.data.item_content import ContentEncoder
from components.train_interest_model.data.vocabulary import Vocabulary
from components.train_interest_model.export.saved_weights import SavedWeights
from components.train_interest_model.hyperparameters import Hyperparameters
from components.train_interest_model.loop.next_step_loss import NextStepLoss
from components.train_interest_model.network.model import InterestModel

VOCABULARY = Vocabulary([f"i{item}" for item in range(7)], ["view"], [0.0, 1.0])
BATCH = {
    "items": [[0, 3, 5, 2], [6, 1, 0, 0]],
    "events": [[1, 1, 1, 1], [1, 1, 0, 0]],
    "values": [[1, 2, 3, 1], [2, 2, 0, 0]],
    "gaps": [[0, 3, 4, 4], [0, 9, 0, 0]],
    "predicted_from": [[-1, 0, 1, 2], [-1, 0, 0, 0]],
    "target_weights": [[1.0, 1.0, 2.0, 1.0], [1.0, 1.0, 0.0, 0.0]],
    "lengths": [4, 2],
}


def model_of(members: int, loss: str = "full", history: str = "on") -> InterestModel:
    settings = Hyperparameters(
        members=members,
        embedding_size=4,
        units=5,
        history_mean=history,
        dropout=0.0,
        item_dropout=0.0,
        loss=loss,
        negatives=3,
        learning_rate=0.1,
    )
    content = np.random.default_rng(0).normal(size=(7, 2)).astype(np.float32)
    model = InterestModel(settings, 7, VOCABULARY.sizes, content)
    model.item_bias.assign(np.linspace(-1, 1, 7))
    return model


def tables(model: InterestModel) -> list[keras.Variable]:
    return [model.item_embeddings, model.content_kernel, *model.side_tables.values(), *model.history_weights]


def joined(loss: str = "full", history: str = "on") -> tuple[InterestModel, list[InterestModel]]:
    """Return a model of two members, and the two models that it consists of."""
    tf.keras.utils.set_random_seed(1)
    parts, both = [model_of(1, loss, history) for _ in range(2)], model_of(2, loss, history)
    for part in parts:
        for table in tables(part):
            table.assign(tf.random.normal(table.shape, stddev=0.7))
    for table, *halves in zip(*(tables(model) for model in (both, *parts)), strict=True):
        table.assign(np.concatenate([half.numpy() for half in halves], axis=1))
    for part, projection, encoder in zip(parts, both.projections, both.encoder.encoder.encoders, strict=True):
        for target, source in zip(projection.variables, part.projections[0].variables, strict=True):
            target.assign(source.numpy())
        for target, source in zip(encoder.variables, part.encoder.encoder.variables, strict=True):
            target.assign(source.numpy())
    return both, parts


def codes() -> dict[str, tf.Tensor]:
    return {
        **{name: tf.constant(part) for name, part in BATCH.items()},
        "attributes": tf.zeros([2, 0], tf.int32),
    }


@pytest.mark.parametrize("history", ["on", "projected"])
def test_the_logits_are_the_mean_of_the_members(history: str) -> None:
    both, parts = joined(history=history)

    logits = [
        model.last_interests(model.item_vectors(), codes()).numpy() @ model.scoring_vectors().numpy().T
        for model in (both, *parts)
    ]

    np.testing.assert_allclose(logits[0], (logits[1] + logits[2]) / 2, atol=1e-5)
    assert np.abs(logits[1] - logits[2]).max() > 0.1


@pytest.mark.parametrize(("loss", "history"), [("full", "on"), ("full", "projected"), ("sampled", "on")])
def test_the_loss_is_the_mean_of_the_members_own_losses(loss: str, history: str) -> None:
    both, parts = joined(loss, history)
    seed = tf.constant([1, 8])

    losses = [float(NextStepLoss(model, np.ones(7))(codes(), seed)) for model in (both, *parts)]

    assert losses[0] == pytest.approx((losses[1] + losses[2]) / 2, rel=1e-5)
    assert abs(losses[1] - losses[2]) > 0.01


def test_every_member_starts_from_the_factors_and_items_without_them_at_random() -> None:
    factors = np.zeros((7, 4), np.float32)
    factors[:5] = np.random.default_rng(1).normal(size=(5, 4), scale=9.0)
    model = model_of(2)
    random = model.item_embeddings.numpy()

    model.start_from(factors)

    started = model.item_embeddings.numpy()
    np.testing.assert_array_equal(started[5:], random[5:])
    added = started[:5] * np.sqrt(2) - random[:5]
    np.testing.assert_allclose(added[:, :4], added[:, 4:], atol=1e-6)
    np.testing.assert_allclose(added[:, :4], factors[:5] * (added[0, 0] / factors[0, 0]), atol=1e-5)
    assert np.sqrt((added**2).mean()) == pytest.approx(random.std(), rel=1e-4)


def test_factors_of_nothing_leave_the_random_start() -> None:
    model = model_of(1)
    random = model.item_embeddings.numpy()

    model.start_from(np.zeros((7, 4), np.float32))

    np.testing.assert_array_equal(model.item_embeddings.numpy(), random)


def test_saved_weights_restore_every_member(tmp_path: Path) -> None:
    both, _ = joined()
    SavedWeights.of(both, VOCABULARY, ContentEncoder.empty(), 1).save(tmp_path)
    other = model_of(2)

    SavedWeights.load(tmp_path).assign_to(other, VOCABULARY)

    paths = [variable.path for variable in both.weights]
    assert len(set(paths)) == len(paths)
    for variable, saved in zip(other.trainable_weights, both.trainable_weights, strict=True):
        np.testing.assert_array_equal(variable.numpy(), saved.numpy())
