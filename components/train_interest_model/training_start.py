"""Reads the data, and chooses the hyperparameters and the weights that a training starts from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import tensorflow as tf

from components.progress import report
from components.row_preferences import list_offsets
from components.train_interest_model.auto_hyperparameters import Statistics, resolve
from components.train_interest_model.continued_training import changed_shapes, for_refit, for_warm_start
from components.train_interest_model.export.saved_weights import SavedWeights
from components.train_interest_model.hyperparameters import AUTO, Hyperparameters
from components.train_interest_model.training_data import TrainingData, read
from components.train_interest_model.warm_start import count_leaked_users, count_new, read_held_out
from feature_repo.feedback import FeedbackPolicy

# Data, hyperparameters, and the weights to start from, if any.
Start = tuple[TrainingData, Hyperparameters, SavedWeights | None]


def prepare(settings: Hyperparameters) -> None:
    """Seed and set up TensorFlow, before a model is made."""
    tf.get_logger().setLevel("ERROR")  # hides a deprecation warning of the loader
    tf.keras.utils.set_random_seed(settings.seed)
    if settings.deterministic:
        tf.config.experimental.enable_op_determinism()


def start_refit(
    training_set: Path,
    items: Path,
    split: str,
    requested: Hyperparameters,
    base_model: Path,
    feedback: FeedbackPolicy,
) -> Start:
    """Start from the weights and hyperparameters of `base_model`, the output of another training.

    Raises:
        StepError: the base model or the training set is invalid, or the weights would get other shapes.
    """
    base = SavedWeights.load(base_model)
    # The base model has no attributes if no user had any.
    requested = replace(requested, use_user_attributes=base.hyperparameters.use_user_attributes)
    data = read(training_set, items, split, requested, base, feedback)
    data, new_share = _continuing(data, base_model)
    cold, _ = _resolve(_like(base, requested), data, 1 - new_share)
    if not base.hyperparameters.warm_start:
        cold = replace(base.hyperparameters, epochs=base.epochs)
    settings, reasons = for_refit(requested, base.hyperparameters, cold.epochs, cold.learning_rate)
    _report_choices(settings, reasons)
    return _with_possible_targets(data, settings), settings, base


def start_fit(
    training_set: Path,
    items: Path,
    split: str,
    requested: Hyperparameters,
    earlier: Path | None,
    feedback: FeedbackPolicy,
) -> Start:
    """Start from random weights, or from an earlier training's if they fit and saw no held-out data.

    Args:
        earlier: the output of the earlier training, or None.

    Raises:
        StepError: the training set or the earlier output is invalid.
    """
    base = _unleaked_base(training_set, earlier) if earlier else None
    data = read(training_set, items, split, requested, base, feedback)
    settings, reasons = _resolve(_like(base, requested), data)
    if base and (changed := _changed(settings, data.catalog, base)):
        report(f"cold start: the live version's model differs in {', '.join(changed)}")
        base, data = None, read(training_set, items, split, requested, None, feedback)
        settings, reasons = _resolve(requested, data)
    if base and earlier:
        data, new_share = _continuing(data, earlier)
        settings, warm_reasons = for_warm_start(settings, new_share)
        reasons |= warm_reasons
        trained = np.count_nonzero(base.trained(data.vocabulary))
        report(f"warm start: the earlier weights cover {trained:,} of {len(data.catalog):,} items")
    _report_choices(settings, reasons)
    settings = replace(settings, warm_start=base is not None)
    return _with_possible_targets(data, settings), settings, base


def _continuing(data: TrainingData, base: Path) -> tuple[TrainingData, float]:
    """Let every epoch have the windows with interactions that the weights of `base` have not seen.

    With as many others, so that the weights keep what they know ("experience replay"). Also returns the share
    of the interactions that are new.
    """
    new = count_new(base, data.rows)
    sequences = replace(data.sequences, in_every_epoch=new > 0)
    share = int(new.sum()) / max(1, int(list_offsets(data.rows["timestamps"])[-1]))
    report(
        f"{share:.1%} of the interactions are new to the weights; each epoch reads the "
        f"{np.count_nonzero(new):,} of {len(new):,} windows that contain them, and others"
    )
    return replace(data, sequences=sequences), share


def _with_possible_targets(data: TrainingData, settings: Hyperparameters) -> TrainingData:
    """Leave out the targets that the softmax excludes: items that their user has seen."""
    if not settings.excludes_seen:
        return data
    return replace(data, sequences=data.sequences.without_seen_targets())


def _like(base: SavedWeights | None, requested: Hyperparameters) -> Hyperparameters:
    """Keep the base model's choices: else data near a threshold would end the warm starts."""
    if base is None:
        return requested
    choices = {"history_mean": "auto", "members": AUTO, "seen_negatives": "auto"}
    kept = {
        name: getattr(base.hyperparameters, name)
        for name, auto in choices.items()
        if getattr(requested, name) == auto
    }
    return replace(requested, **kept)


def _unleaked_base(training_set: Path, earlier: Path) -> SavedWeights | None:
    if users := count_leaked_users(earlier, read_held_out(training_set)):
        report(f"cold start: the earlier weights have seen held-out interactions of {users:,} users")
        return None
    return SavedWeights.load(earlier)


def _changed(settings: Hyperparameters, catalog: pa.Table, base: SavedWeights) -> list[str]:
    """Return what differs between `base` and a cold start, and can't be changed by a warm start."""
    outdated = settings.use_content and not base.content.suits(catalog)
    # An earlier version had seen negatives, and did not say so.
    before = base.hyperparameters.seen_negatives.replace("auto", "on")
    return [
        *changed_shapes(settings, base.hyperparameters),
        *(["seen_negatives"] if settings.seen_negatives != before else []),
        *(["the item content"] if outdated else []),
    ]


def _resolve(
    requested: Hyperparameters, data: TrainingData, share: float = 1.0
) -> tuple[Hyperparameters, dict[str, str]]:
    """Choose what is "auto", for a training on this share of the interactions; return the reasons too."""
    if not data.vocabulary.attributes:
        requested = replace(requested, use_user_attributes=False)
    statistics = Statistics.of(data.sequences, len(data.catalog))
    return resolve(requested, replace(statistics, interactions=round(share * statistics.interactions)))


def _report_choices(settings: Hyperparameters, reasons: dict[str, str]) -> None:
    for name, reason in reasons.items():
        report(f"{name} = {getattr(settings, name)} ({reason})")
