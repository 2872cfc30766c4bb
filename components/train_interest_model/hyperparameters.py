"""Defines the hyperparameters; AUTO values are chosen from the data by `auto_hyperparameters`."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from components.errors import StepError

# In a dict, "auto" means the same.
AUTO: Final = -1

CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "encoder": ("lstm", "gru", "rnn", "cnn"),
    "history_mean": ("auto", "on", "projected", "off"),
    "item_start": ("auto", "factors", "random"),
    "loss": ("auto", "full", "part", "sampled"),
    "optimizer": ("adamw", "lamb"),
    "seen_items": ("auto", "filter", "keep"),
    "seen_negatives": ("auto", "on", "off"),
    "embedding_precision": ("auto", "float32", "float16", "int8"),
}
SHARES: Final = ("dropout", "item_dropout", "attribute_dropout", "warmup", "pruning")
SHARES_OF_ANOTHER_TRAINING: Final = (
    "warm_epoch_share",
    "warm_learning_rate_share",
    "refit_epoch_share",
    "refit_learning_rate_share",
)


@dataclass(frozen=True)
class Hyperparameters:
    """The hyperparameters of a training; shares are from 0 to below 1, those of another training up to 1."""

    encoder: str = "lstm"
    embedding_size: int = AUTO
    units: int = AUTO
    members: int = AUTO  # networks whose mean logits rank, each with these sizes
    layers: int = 1  # of a cnn; its receptive field is 1 + 2 * (2 ** layers - 1)
    # Adds the items' own vectors to the interest, the last one's and their mean: weighted, or projected.
    history_mean: str = "auto"
    item_start: str = (
        "auto"  # of the item vectors: with factors of which items stand near each other, or random
    )

    use_event_types: bool = True
    use_values: bool = True
    use_time_gaps: bool = True
    use_positions: bool = False  # MovieLens-100K, 3 seeds: validation NDCG@10 .130 with, .132 without them
    use_content: bool = True
    # Ignored if no user has attributes. Helps users without a history only: on MovieLens-100K, 3 seeds,
    # validation NDCG@10 is .129 with and .132 without them.
    use_user_attributes: bool = False

    dropout: float = AUTO  # of the encoder's inputs and outputs
    item_dropout: float = 0.1  # of an item's embedding, so that the model learns to use its content alone
    attribute_dropout: float = 0.5  # of a user's attributes, so that the model learns to use a history alone
    weight_decay: float = 1e-3
    optimizer: str = "adamw"
    learning_rate: float = float(AUTO)
    warmup: float = 0.05  # share of all steps
    clip_norm: float = 1.0
    epochs: int = AUTO
    batch_size: int = AUTO  # positions: interactions and padding
    patience: int = AUTO  # epochs without a better validation NDCG@10; a warm start takes all of its epochs

    loss: str = "auto"  # softmax over all items, a random part with the targets in it, or sampled negatives
    negatives: int = 2048  # of the sampled softmax, shared by a batch
    seen_items: str = "auto"  # filter: items that the user has seen are not recommended again; keep: they are
    seen_negatives: str = "auto"  # off: what is filtered is no alternative to a target in the softmax either
    validation_rows: int = 2048

    embedding_precision: str = "auto"  # of the served item embeddings
    pruning: float = 0.0  # share of the served encoder's weights that are set to zero

    # Start from the weights of the live version's training. Set by a schedule; without it, results depend on
    # the input only, not on the live version. Saved with weights, it says whether their training did so.
    warm_start: bool = False
    # At most this share of a cold start's epochs. MovieLens-100K, a second run with a tenth more data, rate
    # 0.003: validation NDCG@10 .155 after 8 epochs, the same as a cold start after 24.
    warm_epoch_share: float = 0.35
    warm_learning_rate_share: float = 0.5

    refit_epoch_share: float = float(AUTO)  # of a cold start's epochs up to the best one
    refit_learning_rate_share: float = float(AUTO)  # of a cold start's

    seed: int = 7
    mixed_precision: bool = False
    xla: bool = True
    deterministic: bool = False  # TensorFlow's deterministic kernels; on one CPU runs repeat without them

    @property
    def excludes_seen(self) -> bool:
        """Whether the softmax of a target leaves out what the user has seen."""
        return self.seen_items == "filter" and self.seen_negatives == "off"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Hyperparameters":
        """Read a pipeline parameter, in which all numbers are floats.

        Raises:
            StepError: a key is unknown, or a value is of another type or outside its range.
        """
        allowed = {field.name: field.default for field in fields(cls)}
        if unknown := sorted(set(values) - set(allowed)):
            raise StepError(
                f"unknown hyperparameter {', '.join(map(repr, unknown))}: allowed are {', '.join(allowed)}"
            )
        return cls(**{name: _cast(name, value, allowed[name]) for name, value in values.items()})

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def _cast(name: str, value: Any, default: Any) -> Any:
    if isinstance(default, str):
        return _choice(name, value)
    if value in ("auto", None) and default == AUTO:
        return AUTO
    if isinstance(default, bool):
        if value not in (True, False):
            raise StepError(f"hyperparameter {name} must be true or false, got {value!r}")
        return bool(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise StepError(f"hyperparameter {name} must be a number, got {value!r}")
    if value == AUTO == default:
        return AUTO
    return _in_range(name, value, float if isinstance(default, float) or name in SHARES else int)


def _choice(name: str, value: Any) -> str:
    if value not in CHOICES[name]:
        raise StepError(f"hyperparameter {name} must be one of {', '.join(CHOICES[name])}, got {value!r}")
    return str(value)


def _in_range(name: str, value: float, kind: type[int] | type[float]) -> float:
    if not math.isfinite(value):
        raise StepError(f"hyperparameter {name} must be a finite number, got {value!r}")
    if kind is int and value != int(value):
        raise StepError(f"hyperparameter {name} must be a whole number, got {value!r}")
    if name in SHARES and not 0 <= value < 1:
        raise StepError(f"hyperparameter {name} must be a share from 0 to below 1, got {value!r}")
    if name in SHARES_OF_ANOTHER_TRAINING and not 0 <= value <= 1:
        raise StepError(f"hyperparameter {name} must be a share from 0 to 1, got {value!r}")
    if value < 0 or (value == 0 and kind is int and name != "seed"):
        raise StepError(f"hyperparameter {name} must be above 0, got {value!r}")
    return kind(value)
