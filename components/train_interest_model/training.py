"""From a split of the training set to a served model: read, choose sizes, train, export."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import tensorflow as tf

from components.progress import report
from components.train_interest_model.auto_hyperparameters import Statistics, differing, refit, resolve, warm
from components.train_interest_model.data.sequences import encode, read_rows
from components.train_interest_model.export.saved_model_writer import export
from components.train_interest_model.export.saved_weights import SavedWeights
from components.train_interest_model.hyperparameters import Hyperparameters
from components.train_interest_model.loop.checkpoint import Checkpoint, TrainingState
from components.train_interest_model.loop.distribution import is_chief, make_strategy
from components.train_interest_model.loop.optimizers import make_optimizer
from components.train_interest_model.loop.trainer import Trainer
from components.train_interest_model.loop.validation import Validation
from components.train_interest_model.network.model import InterestModel
from components.train_interest_model.network.pruning import prune
from components.train_interest_model.tracking import Tracker
from components.train_interest_model.training_data import TrainingData, read
from components.train_interest_model.warm_start import leaked, read_held_out, write_learned

PROBES = 16  # histories on which the export is compared with the model

# What a training reads, how it goes, and the weights that it starts from, if any.
Start = tuple[TrainingData, Hyperparameters, SavedWeights | None]


def train(
    training_set: Path,
    items: Path,
    split: str,
    hyperparameters: dict[str, Any],
    output: Path,
    base_model: Path | None,
    tracker: Tracker,
    warm_start: Path | None = None,
) -> dict[str, float]:
    """Train on the windows of `split` and export to `output`.

    Writes `saved_model/`, the item embeddings [items, size + 1], and what a warm start needs.

    Args:
        base_model: the output of a training that this one refits, with its settings.
        warm_start: the output of an earlier run's training, to start from where that is honest.

    Returns:
        Loss and speed of the last epoch; for split "train" the validation metrics of the weights kept.

    Raises:
        StepError: a hyperparameter, the training set or the base model is not what it must be.
    """
    given = Hyperparameters.from_dict(hyperparameters)
    if base_model:
        data, settings, base = _refit(training_set, items, split, given, base_model)
    else:
        data, settings, base = _begin(training_set, items, split, given, warm_start)
    _prepare(settings)
    prefix = "" if split == "train" else "refit/"
    _track(tracker, settings, training_set, split, data, prefix)
    tracker.log_params({f"{prefix}starts_from": "earlier weights" if base else "nothing"})

    trainer = _trainer(settings, data, base)
    validation = _validation(training_set, data, settings) if split == "train" else None
    checkpoint = Checkpoint(output / "checkpoint", _key(training_set, items, split, settings))

    def on_epoch(figures: dict[str, float], epoch: int) -> None:
        tracker.log_metrics({prefix + name: value for name, value in figures.items()}, epoch)

    state = trainer.fit(data.sequences, validation, checkpoint, on_epoch)
    taken, gpus = trainer.takes_cudnn(), len(tf.config.list_physical_devices("GPU"))
    compiled = ", the loop was compiled" if trainer.model.encoder.compiled else ""
    report(f"cuDNN's recurrent kernel was {'taken' if taken else 'not taken'}, on {gpus} GPU(s){compiled}")
    if is_chief(trainer.strategy):
        _write(trainer.model, data, state, output)
        if split == "train":
            write_learned(data.rows, warm_start if base else None, output)
        checkpoint.discard()
    return _figures(state)


def _refit(training_set: Path, items: Path, split: str, given: Hyperparameters, base_model: Path) -> Start:
    base = SavedWeights.load(base_model)
    # The base went without attributes where no user had any.
    given = replace(given, use_user_attributes=base.hyperparameters.use_user_attributes)
    data = read(training_set, items, split, given, base)
    settings, reasons = refit(given, base.hyperparameters, base.epochs)
    _tell(settings, reasons)
    return data, settings, base


def _begin(
    training_set: Path, items: Path, split: str, given: Hyperparameters, earlier: Path | None
) -> Start:
    """From an earlier training's weights where that is honest and their shapes are those of now."""
    base = _honest_base(training_set, earlier) if earlier else None
    data = read(training_set, items, split, given, base)
    settings, reasons = _resolve(given, data)
    if base and (other := _changed(settings, data.catalog, base)):
        report(f"no warm start: {', '.join(other)} would be another")
        base, data = None, read(training_set, items, split, given, None)
        settings, reasons = _resolve(given, data)
    if base:
        settings, gentler = warm(settings)
        reasons |= gentler
        known = np.count_nonzero(base.trained(data.vocabulary))
        report(f"warm start from weights that know {known:,} of {len(data.catalog):,} items")
    _tell(settings, reasons)
    return data, settings, base


def _honest_base(training_set: Path, earlier: Path) -> SavedWeights | None:
    if users := leaked(earlier, read_held_out(training_set)):
        report(f"no warm start: it has learned what is held out now of {users:,} users")
        return None
    return SavedWeights.load(earlier)


def _changed(settings: Hyperparameters, catalog: pa.Table, base: SavedWeights) -> list[str]:
    """What of `base` is not as it would be in a training from nothing, and can't be learned by going on."""
    outdated = settings.use_content and not base.content.suits(catalog)
    return [*differing(settings, base.hyperparameters), *(["the items' content"] if outdated else [])]


def _resolve(given: Hyperparameters, data: TrainingData) -> tuple[Hyperparameters, dict[str, str]]:
    if not data.vocabulary.attributes:
        given = replace(given, use_user_attributes=False)
    return resolve(given, Statistics.of(data.sequences, len(data.catalog)))


def _tell(settings: Hyperparameters, reasons: dict[str, str]) -> None:
    for name, reason in reasons.items():
        report(f"{name} = {getattr(settings, name)}: {reason}")


def _prepare(settings: Hyperparameters) -> None:
    tf.get_logger().setLevel("ERROR")  # TensorFlow advises against the loader that its server uses
    tf.keras.utils.set_random_seed(settings.seed)
    if settings.deterministic:
        tf.config.experimental.enable_op_determinism()


def _trainer(settings: Hyperparameters, data: TrainingData, base: SavedWeights | None) -> Trainer:
    strategy = make_strategy()
    with strategy.scope():
        model = InterestModel(
            settings, len(data.catalog), data.vocabulary.sizes, data.content.transform(data.catalog)
        )
        _start(model, data, base)
        steps = sum(1 for _ in data.sequences.batches(settings.batch_size, settings.seed))
        optimizer = make_optimizer(settings, settings.epochs * steps, _sparse_tables(model, strategy))
    windows, interactions = len(data.sequences), len(data.sequences.items)
    report(f"{windows:,} windows of {interactions:,} interactions, {len(data.catalog):,} items")
    replicas = strategy.num_replicas_in_sync
    report(f"{model.count_params():,} weights, {steps} steps an epoch, {replicas} replica(s)")
    return Trainer(model, optimizer, strategy, settings, data.counts)


def _sparse_tables(model: InterestModel, strategy: tf.distribute.Strategy) -> list[keras.Variable]:
    """Of which a step moves some rows alone; replicas can reduce whole gradients only."""
    settings = model.hyperparameters
    sparse = settings.loss == "sampled" and settings.optimizer == "adamw"
    return model.item_tables if sparse and strategy.num_replicas_in_sync == 1 else []


def _start(model: InterestModel, data: TrainingData, base: SavedWeights | None) -> None:
    """An item's bias begins at its log popularity: what answers where nothing is known of a user."""
    counts = data.counts
    model.item_bias.assign(np.log((counts + 1) / (counts.mean() + 1)))
    trained = counts > 0
    if base:
        base.start(model, data.vocabulary)
        trained |= base.trained(data.vocabulary)
    model.trained.assign(trained.astype(np.float32)[:, None])


def _validation(training_set: Path, data: TrainingData, settings: Hyperparameters) -> Validation | None:
    rows = read_rows(training_set, "validation")
    if not len(rows):
        report("no validation rows: training runs to its last epoch")
        return None
    if len(rows) > settings.validation_rows:
        random = np.random.default_rng(settings.seed)
        rows = rows.take(np.sort(random.permutation(len(rows))[: settings.validation_rows]))
    seen = data.sequences if settings.seen_items == "filter" else None
    return Validation(encode(rows, data.vocabulary), seen)


def _track(
    tracker: Tracker,
    settings: Hyperparameters,
    training_set: Path,
    split: str,
    data: TrainingData,
    prefix: str,
) -> None:
    tracker.log_params({prefix + name: value for name, value in settings.to_dict().items()})
    counts = {"rows": len(data.rows), "interactions": len(data.sequences.items), "items": len(data.catalog)}
    tracker.log_dataset(training_set, split, json.dumps(counts))


def _write(model: InterestModel, data: TrainingData, state: TrainingState, output: Path) -> None:
    SavedWeights.of(model, data.vocabulary, data.content, state.best_epoch).save(output)
    filter_seen = model.hyperparameters.seen_items == "filter"
    export(_as_served(model, data), data.vocabulary, filter_seen, data.rows.slice(0, PROBES), output)


def _as_served(model: InterestModel, data: TrainingData) -> InterestModel:
    """Serving computes in float32, whatever training did, without cuDNN, which a CPU has not, and pruned."""
    settings = replace(model.hyperparameters, mixed_precision=False)
    copy = InterestModel(settings, len(data.catalog), data.vocabulary.sizes, model.content.numpy())
    for variable, original in zip(copy.weights, model.weights, strict=True):
        variable.assign(original.numpy())
    prune(copy.encoder, settings.pruning)
    return copy


def _figures(state: TrainingState) -> dict[str, float]:
    figures = {name: value for name, value in state.history[-1].items() if not name.startswith("validation")}
    kept = state.history[state.best_epoch - 1]
    figures |= {name: value for name, value in kept.items() if name.startswith("validation")}
    return figures | {"best_epoch": state.best_epoch, "epochs": state.epoch}


def _key(training_set: Path, items: Path, split: str, settings: Hyperparameters) -> str:
    """Names the training that a checkpoint belongs to: its inputs and its settings."""
    parts = [split, json.dumps(settings.to_dict())]
    for file in (training_set, items):
        with file.open("rb") as opened:
            parts.append(hashlib.file_digest(opened, "sha256").hexdigest())
    return " ".join(parts)
