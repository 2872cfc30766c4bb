"""The hyperparameters of trainings that continue earlier weights: refits and warm starts."""

import math
from dataclasses import replace
from typing import Final

from components.errors import StepError
from components.train_interest_model.hyperparameters import AUTO, Hyperparameters

# The lowest rate of a warm start, as a share of that of the longest one: a few steps at a high rate make the
# weights worse. MovieLens-1M by time, 1 % new, validation NDCG@10 after one short epoch at .5, .15 and
# .05 of a cold start's rate .1265, .1282, .1279 (seed 7); at .5, .3 and .15 .1255, .1264, .1265 (seed 8); a
# cold start .1272 (seed 7).
WARM_RATE: Final = 0.3

# Hyperparameters that determine the shapes of the weights: they can't differ from the base model's.
SHAPES: Final = (
    "encoder",
    "embedding_size",
    "units",
    "members",
    "layers",
    "history_mean",
    "use_event_types",
    "use_values",
    "use_time_gaps",
    "use_positions",
    "use_content",
    "use_user_attributes",
)


def for_refit(
    requested: Hyperparameters, base: Hyperparameters, cold_epochs: int, cold_rate: float
) -> tuple[Hyperparameters, dict[str, str]]:
    """Return the base model's hyperparameters with the epochs and the rate of a refit; reasons by name.

    Args:
        cold_epochs, cold_rate: the epochs and the learning rate of a cold start.

    Raises:
        StepError: a requested hyperparameter would change the shapes of the weights.
    """
    for name in SHAPES:
        value, base_value = getattr(requested, name), getattr(base, name)
        if value not in (AUTO, getattr(Hyperparameters, name)) and value != base_value:
            raise StepError(
                f"hyperparameter {name} = {value} but the base model has {base_value}: leave {name} out, "
                "or train without a base model"
            )
    epoch_share, rate_share = (
        getattr(base, name) if getattr(requested, name) == AUTO else getattr(requested, name)
        for name in ("refit_epoch_share", "refit_learning_rate_share")
    )
    epochs, rate = max(1, round(epoch_share * cold_epochs)), rate_share * cold_rate
    precision = requested.embedding_precision
    settings = replace(
        base,
        epochs=epochs,
        patience=epochs,
        learning_rate=rate,
        embedding_precision=base.embedding_precision if precision == "auto" else precision,
        pruning=requested.pruning or base.pruning,
    )
    return settings, {
        "epochs": f"{epoch_share:g} x the {cold_epochs} epochs of a cold start",
        "learning_rate": f"{rate_share:g} x that of a cold start",
    }


def changed_shapes(settings: Hyperparameters, base: Hyperparameters) -> list[str]:
    """Return the names of the hyperparameters whose change from `base` changes the shapes of the weights."""
    return [name for name in SHAPES if getattr(settings, name) != getattr(base, name)]


def for_warm_start(settings: Hyperparameters, new_share: float) -> tuple[Hyperparameters, dict[str, str]]:
    """Return the hyperparameters of a warm start, from those of a cold start, and the reasons by name.

    The more is new, the more epochs: their share of a cold start's is the square root of `new_share`, the
    share of the training interactions that the earlier weights have not seen, and `warm_epoch_share` at most.
    With so many, the rate is `warm_learning_rate_share` of a cold start's; with fewer it is lower in
    proportion, but not below WARM_RATE of that.
    """
    share = min(settings.warm_epoch_share, math.sqrt(new_share))
    of_longest = share / settings.warm_epoch_share if share else 0.0
    rate_share = settings.warm_learning_rate_share * max(WARM_RATE, of_longest)
    epochs, rate = max(1, round(share * settings.epochs)), settings.learning_rate * rate_share
    # The first epochs, at a high rate, make trained weights worse before the last ones make them better.
    settings = replace(settings, epochs=epochs, patience=epochs, learning_rate=rate)
    return settings, {
        "epochs": f"{share:.2g} x those of a cold start: {new_share:.1%} of the interactions are new",
        "patience": "all epochs of a warm start",
        "learning_rate": f"{rate_share:.2g} x that of a cold start",
    }
