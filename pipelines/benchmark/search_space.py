"""The hyperparameters that a search varies, around the values that suit the data's statistics."""

from collections.abc import Container
from typing import TYPE_CHECKING, Any, Final

from components.train_interest_model.hyperparameters import CHOICES, Hyperparameters

if TYPE_CHECKING:
    from optuna.trial import Trial

# Factors of whole numbers, whose step is a power of two.
_FACTORS: Final = {
    "embedding_size": (0.5, 1, 2),
    "units": (0.5, 1, 2),
    "batch_size": (0.5, 1, 2),
    "epochs": (0.5, 1, 2),
}
# All that a start can have: its values are the first trial.
_CHOICES: Final = {
    name: tuple(choice for choice in CHOICES[name] if choice != "auto")
    for name in ("history_mean", "seen_negatives", "item_start")
}
_SHARES: Final = {"dropout": 0.6, "item_dropout": 0.4}  # from 0 to this
_LOGARITHMIC: Final = {"weight_decay": (1e-4, 1.0)}
# The learning rate is between a quarter and four times the start's.
_RATE_FACTOR: Final = 4

_DIGITS: Final = 3


def suggest(trial: "Trial", start: Hyperparameters, fixed: Container[str]) -> dict[str, Any]:
    """Return the hyperparameters of a trial by name; those in `fixed` are left as they are.

    Numbers have three digits, so that a command line with them repeats the trial.
    """
    searched: dict[str, Any] = {}
    for name, factors in _FACTORS.items():
        if name not in fixed:
            values = sorted({max(1, round(getattr(start, name) * factor)) for factor in factors})
            searched[name] = trial.suggest_categorical(name, values)
    for name, choices in _CHOICES.items():
        if name not in fixed:
            searched[name] = trial.suggest_categorical(name, choices)
    for name, (low, high, logarithmic) in _ranges(start).items():
        if name not in fixed:
            searched[name] = _rounded(trial.suggest_float(name, low, high, log=logarithmic))
    return searched


def start_values(start: Hyperparameters, fixed: Container[str]) -> dict[str, Any]:
    """Return the values of the start that a search varies: its first trial."""
    names = (*_FACTORS, *_CHOICES, *_ranges(start))
    return {name: getattr(start, name) for name in names if name not in fixed}


def _ranges(start: Hyperparameters) -> dict[str, tuple[float, float, bool]]:
    """Map name -> lowest and highest value, and whether the scale is logarithmic; they include the start."""
    rate = start.learning_rate
    ranges = {name: (0.0, high, False) for name, high in _SHARES.items()}
    ranges |= {name: (low, high, True) for name, (low, high) in _LOGARITHMIC.items()}
    ranges["learning_rate"] = (rate / _RATE_FACTOR, rate * _RATE_FACTOR, True)
    return ranges


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
