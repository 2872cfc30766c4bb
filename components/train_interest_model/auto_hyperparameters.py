"""Sizes, regularisation and length of training chosen from the data, each with its reason."""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from components.errors import StepError
from components.train_interest_model.data.sequences import Sequences
from components.train_interest_model.hyperparameters import AUTO, Hyperparameters

# Above this many items a full softmax costs more than it teaches.
FULL_SOFTMAX_ITEMS: Final = 100_000

# From here on a wider encoder pays (MovieLens-1M: validation NDCG@10 .224 against .210); on a tenth of
# that it costs twice the time for nothing.
MANY_INTERACTIONS: Final = 500_000

# From here on an index answers from half the bytes in half the time, to the same items.
LARGE_CATALOG: Final = 20_000

# What a training may read in all, however large the data: about half an hour on two cores.
MAX_POSITIONS: Final = 40_000_000

# What fixes the shape of the weights, so that a base model can't be taken on under another value.
SHAPES: Final = (
    "encoder",
    "embedding_size",
    "units",
    "layers",
    "use_event_types",
    "use_values",
    "use_time_gaps",
    "use_positions",
    "use_content",
    "use_user_attributes",
)


@dataclass(frozen=True)
class Statistics:
    """What the choices rest on."""

    interactions: int
    windows: int
    items: int
    mean_length: float
    repeat_share: float  # of interactions with an item already in the same window

    @classmethod
    def of(cls, sequences: Sequences, items: int) -> "Statistics":
        rows = np.repeat(np.arange(len(sequences)), sequences.lengths)
        distinct = len(np.unique(rows * np.int64(items) + sequences.items))
        count = len(sequences.items)
        return cls(
            interactions=count,
            windows=len(sequences),
            items=items,
            mean_length=count / max(1, len(sequences)),
            repeat_share=1 - distinct / max(1, count),
        )


def resolve(
    hyperparameters: Hyperparameters, statistics: Statistics
) -> tuple[Hyperparameters, dict[str, str]]:
    """Every AUTO replaced by a value; the reasons by name."""
    reasons: dict[str, str] = {}
    for name, value, reason in _choices(statistics):
        if getattr(hyperparameters, name) in (AUTO, "auto"):
            hyperparameters = replace(hyperparameters, **{name: value})
            reasons[name] = reason
    if hyperparameters.units == AUTO:
        times = 4 if statistics.interactions >= MANY_INTERACTIONS else 2
        hyperparameters = replace(hyperparameters, units=times * hyperparameters.embedding_size)
        reasons["units"] = f"{times} times the embedding, for {statistics.interactions:,} interactions"
    return hyperparameters, reasons


def refit(
    given: Hyperparameters, base: Hyperparameters, base_epochs: int
) -> tuple[Hyperparameters, dict[str, str]]:
    """The base model's settings for a few gentle epochs more; the reasons by name.

    Raises:
        StepError: what was given asks for another model than the base model is.
    """
    for name in SHAPES:
        asked, is_ = getattr(given, name), getattr(base, name)
        if asked not in (AUTO, getattr(Hyperparameters, name)) and asked != is_:
            raise StepError(
                f"hyperparameter {name} = {asked} but the base model has {is_}: leave {name} out, "
                "or train without a base model"
            )
    epochs = max(1, round(given.refit_epoch_share * base_epochs))
    rate = base.learning_rate * given.refit_learning_rate_share
    precision = given.embedding_precision
    settings = replace(
        base,
        epochs=epochs,
        patience=epochs,
        learning_rate=rate,
        embedding_precision=base.embedding_precision if precision == "auto" else precision,
        pruning=given.pruning or base.pruning,
    )
    reason = f"{given.refit_epoch_share:g} of the {base_epochs} epochs that the base model took"
    return settings, {
        "epochs": reason,
        "learning_rate": f"{given.refit_learning_rate_share:g} of the base model's",
    }


def differing(settings: Hyperparameters, base: Hyperparameters) -> list[str]:
    """The names of what shapes the weights and is not as in `base`."""
    return [name for name in SHAPES if getattr(settings, name) != getattr(base, name)]


def warm(settings: Hyperparameters) -> tuple[Hyperparameters, dict[str, str]]:
    """The settings of a training from nothing for one that goes on from an earlier one; reasons by name."""
    share, slower = settings.warm_epoch_share, settings.warm_learning_rate_share
    epochs = max(1, round(share * settings.epochs))
    patience = max(1, round(share * settings.patience))
    rate = settings.learning_rate * slower
    settings = replace(settings, epochs=epochs, patience=patience, learning_rate=rate)
    reason = "of a training from nothing"
    return settings, {"epochs": f"{share:g} {reason}", "learning_rate": f"{slower:g} {reason}"}


def _choices(data: Statistics) -> list[tuple[str, Any, str]]:
    count, per_item = max(1, data.interactions), data.interactions / max(1, data.items)
    size = _between(16, 64, 2 ** round(0.36 * np.log2(count)))
    batch = _between(4, 64, 2 ** round(0.5 * np.log2(count / 600)))
    longest = 30 if count >= MANY_INTERACTIONS else 24
    epochs = _between(3, longest, MAX_POSITIONS / count)
    large = data.items >= LARGE_CATALOG
    full, keep = data.items <= FULL_SOFTMAX_ITEMS, data.repeat_share > 0.1
    return [
        ("embedding_size", size, f"{count:,} interactions carry about that many dimensions"),
        ("dropout", 0.3 if per_item < 100 else 0.25, f"{per_item:.0f} interactions an item"),
        ("batch_size", batch, f"windows, growing with the root of {count:,} interactions"),
        ("epochs", epochs, f"at most {MAX_POSITIONS:,} interactions in all"),
        ("patience", max(4, epochs // 3), "a third of the epochs"),
        ("loss", "full" if full else "sampled", f"{data.items:,} items, full up to {FULL_SOFTMAX_ITEMS:,}"),
        ("embedding_precision", "float16" if large else "float32", f"{data.items:,} items to be served"),
        ("seen_items", "keep" if keep else "filter", f"{data.repeat_share:.0%} of interactions are repeats"),
    ]


def _between(low: int, high: int, value: float) -> int:
    return int(min(high, max(low, value)))
