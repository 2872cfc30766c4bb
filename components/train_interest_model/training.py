"""Trains the interest model, tracks the run in MLflow, and exports the model."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.errors import StepError
from components.memory import check_memory
from components.progress import report
from components.train_interest_model.data.item_factors import item_factors
from components.train_interest_model.data.sequences import encode, read_rows
from components.train_interest_model.experiment_tracking import Tracker
from components.train_interest_model.export.saved_model_writer import export
from components.train_interest_model.export.saved_weights import SavedWeights
from components.train_interest_model.hyperparameters import Hyperparameters
from components.train_interest_model.loop.distribution_strategy import make_strategy
from components.train_interest_model.loop.forecast_fit import fit_forecast
from components.train_interest_model.loop.shared_data import ModelShape, share
from components.train_interest_model.loop.trainer import Trainer, make_trainer
from components.train_interest_model.loop.training_checkpoint import Checkpoint, TrainingState
from components.train_interest_model.loop.validation_metrics import Validation
from components.train_interest_model.loop.worker_group import Group
from components.train_interest_model.network.model import InterestModel
from components.train_interest_model.network.pruning import prune
from components.train_interest_model.training_data import TrainingData
from components.train_interest_model.training_start import prepare, start_fit, start_refit
from components.train_interest_model.warm_start import write_trained_until
from feature_repo.counts import counted
from feature_repo.feedback import FeedbackPolicy

# Memory of a training: measured for 24 to 1,000,000 items, and up to 10,000,000 interactions.
BASE_BYTES = 1_000_000_000
BYTES_PER_ACTIVATION = 850  # of each unit at each position of a batch
BYTES_PER_ITEM_NUMBER = 56  # of each number of an item's vector, of at least LEAST_NUMBERS
LEAST_NUMBERS = 64
BYTES_PER_INTERACTION = 70

PROBES = 16  # histories for which the export is compared with the model


def train(
    training_set: Path,
    items: Path,
    split: str,
    hyperparameters: dict[str, Any],
    output: Path,
    base_model: Path | None,
    tracker: Tracker,
    feedback: FeedbackPolicy,
    warm_start: Path | None = None,
    group: Group | None = None,
) -> dict[str, float]:
    """Train on the windows of `split` and export to `output`.

    Writes `saved_model/`, the item embeddings [items, size + 1], and the files that a warm start reads.

    Args:
        base_model: the output of the training to refit, with its hyperparameters.
        feedback: the sign and strength of each interaction; positive ones are targets.
        warm_start: the output of an earlier run's training, whose weights are used if they have not seen
            held-out data; they stay if no epoch is better.
        group: several workers, of which this process is the chief; None for one worker.

    Returns:
        Loss and speed of the last epoch; for split "train" also the best epoch, 0 for a warm start's earlier
        weights, and its validation metrics.

    Raises:
        StepError: a hyperparameter, the training set or the base model is invalid.
    """
    requested = Hyperparameters.from_dict(hyperparameters)
    if base_model:
        data, settings, base = start_refit(training_set, items, split, requested, base_model, feedback)
    else:
        data, settings, base = start_fit(training_set, items, split, requested, warm_start, feedback)
    _check_memory(data, settings, group)
    prepare(settings)
    prefix = "" if split == "train" else "refit/"
    _track(tracker, settings, training_set, split, data, prefix)
    tracker.log_params({f"{prefix}start": "warm" if base else "cold"})

    validation = _validation(training_set, data, settings) if split == "train" else None
    trainer = _trainer(settings, data, base, group)
    folder = group.checkpoint if group else str(output / "checkpoint")
    checkpoint = Checkpoint(folder, _key(training_set, items, split, settings, feedback, data))

    def on_epoch(metrics: dict[str, float], epoch: int) -> None:
        tracker.log_metrics({prefix + name: value for name, value in metrics.items()}, epoch)

    state = trainer.fit(data.sequences, validation, checkpoint, on_epoch)
    if validation is not None:
        fit_forecast(trainer.model, validation)
    report(f"trained on {_device(trainer)}")
    learned = data.rows if state.best_epoch else data.rows.slice(0, 0)
    if base and not len(learned):
        report("no epoch is better than the earlier weights: these stay")
        _set_trained(trainer.model, base.trained(data.vocabulary))
    _write(trainer.model, data, state, output)
    if split == "train":
        write_trained_until(learned, warm_start if base else None, output)
    checkpoint.discard()
    return _metrics(state)


def _device(trainer: Trainer) -> str:
    """Describe the devices and kernels of a finished training."""
    gpus = len(tf.config.list_physical_devices("GPU"))
    if not gpus:
        return "the CPU" + (", LSTM compiled with XLA" if trainer.model.encoder.compiled else "")
    return f"{counted(gpus, 'GPU')}, {'with' if trainer.uses_cudnn() else 'without'} cuDNN's kernel"


def _check_memory(data: TrainingData, settings: Hyperparameters, group: Group | None) -> None:
    """Raise StepError if the training would need more memory than there is."""
    items, interactions = len(data.catalog), len(data.sequences.items)
    workers = len(group) if group else 1
    units = settings.units * settings.members
    worker = BASE_BYTES + BYTES_PER_ACTIVATION * settings.batch_size * units / workers
    numbers = max(LEAST_NUMBERS, settings.embedding_size)
    worker += BYTES_PER_ITEM_NUMBER * numbers * settings.members * items
    here = workers if group and group.is_local else 1
    size = (
        f"{items:,} items, {interactions:,} interactions, and batches of {settings.batch_size:,} positions "
        f"with {settings.members} x {settings.units} units"
    ) + (f" on {here} workers here" if here > 1 else "")
    advice = "give the step more memory (on Kubernetes PENCHANT_TRAINING_MEMORY), or --set batch_size, units"
    check_memory("training", size, here * worker + BYTES_PER_INTERACTION * interactions, advice)


def _trainer(
    settings: Hyperparameters, data: TrainingData, base: SavedWeights | None, group: Group | None
) -> Trainer:
    content = data.content.transform(data.catalog)
    windows, interactions = len(data.sequences), len(data.sequences.items)
    report(
        f"training data: {interactions:,} interactions in {windows:,} windows, "
        f"{len(data.sequences.target_items):,} of them positive, {len(data.catalog):,} items"
    )
    strategy = make_strategy(_gather(group, settings, data, content.shape[1]) if group else ())
    with strategy.scope():
        model = InterestModel(settings, len(data.catalog), data.vocabulary.sizes, content)
        _initialise(model, data, base)
    return make_trainer(model, strategy, data.sequences)


def _gather(group: Group, settings: Hyperparameters, data: TrainingData, content_size: int) -> list[str]:
    """Let the other workers begin; return the address of each.

    Raises:
        StepError: there are too many workers, or they would share a GPU.
    """
    a_batch = data.sequences.rows_per_batch(settings.batch_size, settings.seed)
    if len(group) > a_batch:
        raise StepError(
            f"PENCHANT_TRAINING_WORKERS={len(group)}: expected at most {int(a_batch)}, since a batch of "
            f"{settings.batch_size:,} positions has {a_batch:.1f} windows on average; a larger batch allows "
            "more workers (--set batch_size)"
        )
    if group.is_local and tf.config.list_physical_devices("GPU"):
        raise StepError(
            f"PENCHANT_TRAINING_WORKERS={len(group)}: one worker uses all GPUs of this machine: expected 1"
        )
    addresses = group.addresses()
    shape = ModelShape(settings.to_dict(), len(data.catalog), content_size, data.vocabulary.sizes)
    share(group.shared, addresses, shape, data.sequences)
    return addresses


def _initialise(model: InterestModel, data: TrainingData, base: SavedWeights | None) -> None:
    """Initialise the weights; an item's bias is its log popularity, which ranks items for an unknown user.

    An item that no user chose, but some did not like, is trained too: as an input, and never as a target.
    """
    counts = data.counts
    model.item_bias.assign(np.log((counts + 1) / (counts.mean() + 1)))
    settings, trained = model.hyperparameters, np.bincount(data.sequences.items, minlength=len(counts)) > 0
    if settings.item_start == "factors" and not base:
        model.start_from(item_factors(data.sequences, len(counts), settings.embedding_size, settings.seed))
    if base:
        base.assign_to(model, data.vocabulary)
        trained |= base.trained(data.vocabulary)
    _set_trained(model, trained)


def _set_trained(model: InterestModel, trained: NDArray[np.bool_]) -> None:
    model.trained.assign(trained.astype(np.float32)[:, None])


def _validation(training_set: Path, data: TrainingData, settings: Hyperparameters) -> Validation | None:
    rows = read_rows(training_set, "validation")
    if not len(rows):
        report("no validation rows: no early stopping")
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
    counts = {
        "rows": len(data.rows),
        "interactions": len(data.sequences.items),
        "positive": len(data.sequences.target_items),
        "items": len(data.catalog),
    }
    tracker.log_dataset(training_set, split, json.dumps(counts))


def _write(model: InterestModel, data: TrainingData, state: TrainingState, output: Path) -> None:
    SavedWeights.of(model, data.vocabulary, data.content, state.best_epoch).save(output)
    filter_seen = model.hyperparameters.seen_items == "filter"
    export(_as_served(model, data), data.vocabulary, filter_seen, data.rows.slice(0, PROBES), output)


def _as_served(model: InterestModel, data: TrainingData) -> InterestModel:
    """Return the model for serving: in float32, without cuDNN, which a CPU does not have, and pruned."""
    settings = replace(model.hyperparameters, mixed_precision=False)
    copy = InterestModel(settings, len(data.catalog), data.vocabulary.sizes, model.content.numpy())
    for variable, original in zip(copy.weights, model.weights, strict=True):
        variable.assign(original.numpy())
    prune(copy.encoder, settings.pruning)
    return copy


def _metrics(state: TrainingState) -> dict[str, float]:
    metrics = {name: value for name, value in state.history[-1].items() if not name.startswith("validation")}
    best = state.history[state.best_epoch - 1] if state.best_epoch else state.start
    metrics |= {name: value for name, value in best.items() if name.startswith("validation")}
    return metrics | {"best_epoch": state.best_epoch, "epochs": state.epoch}


def _key(
    training_set: Path,
    items: Path,
    split: str,
    settings: Hyperparameters,
    feedback: FeedbackPolicy,
    data: TrainingData,
) -> str:
    """Return the key of a training's checkpoint: its inputs, its hyperparameters, and what an epoch reads."""
    epoch = hashlib.sha256(data.sequences.in_every_epoch.tobytes()).hexdigest()
    parts = [split, json.dumps(settings.to_dict()), feedback.to_json(), epoch]
    for file in (training_set, items):
        with file.open("rb") as opened:
            parts.append(hashlib.file_digest(opened, "sha256").hexdigest())
    return " ".join(parts)
