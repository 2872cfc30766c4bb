"""Chooses the hyperparameters that are "auto" from the data."""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from components.train_interest_model.data.sequences import Sequences
from components.train_interest_model.hyperparameters import AUTO, Hyperparameters
from serving.release.arrays import distinct

# Above this number of items a full softmax costs too much time for its gain.
FULL_SOFTMAX_ITEMS: Final = 100_000

# Up to this size, and with few interactions per item, a softmax over a part of the items brings the first
# answer in half of the CPU time of all items. On more data, where nobody waits for the training, all are
# worth theirs. NDCG@10 of the model alone with an eighth of the items and with all, both at a rate of 0.01
# and a dropout of 0.3, 14,240 items in RetailRocket's layout of tests/benchmarks/first_answer.py: seed 7,
# validation .2671 and .2718, test .2596 and .2608; seed 8, validation .2653 and .2683, test .2625 and .2615.
# Reviews, 12,101 items, seed 8: test .0584 and .0596.
PART_INTERACTIONS: Final = 100_000
# The part has room for as many targets as a batch has positions: of fewer items it would be most of them.
PART_ITEMS: Final = 4

# From this size on a wider encoder helps (MovieLens-1M: validation NDCG@10 .224 against .210); with a tenth
# of the data it takes twice the time for no gain.
MANY_INTERACTIONS: Final = 500_000
MANY_UNITS: Final = 256

# With many interactions per item too, and without repeats, wide item vectors and a history mean that is
# projected help. MovieLens-1M, seed 7, 10 epochs, validation NDCG@10: 64 numbers .194, with a history mean
# .199, projected .203; 128 numbers with a history mean .216, projected .219.
DENSE_SIZE: Final = 128

# With fewer interactions per item the history mean helps. Validation NDCG@10, seed 7: reviews, 13 per item,
# .071 with it and .056 without; MovieLens-100K, 26 per item, .117 and .119; a shop with repeats, 86 per item,
# .151 and .160. It also helps there that the softmax has what a user has seen among its negatives, although
# it is not recommended again: reviews .071, without .067. With more per item it does not: MovieLens-100K by
# leave-one-out, mean of the seeds 7 to 9, .138, without .150.
FEW_PER_ITEM: Final = 20

# Where users sometimes choose an item again, seen items help as negatives, and repeats as targets. The shop
# of clicks of tests/benchmarks/shops.py, 29 per item, 6 % repeats, seeds 7, 8, 9: validation NDCG@10 .4319,
# .4154, .4272 with them; .4255, .4092, .4221 without.
FEW_REPEATS: Final = 0.02

# With few interactions per item a network overfits, and the mean of several is better. Each takes a
# training's time, so their number falls with interactions × items, the logits of an epoch.
MAX_MEMBERS: Final = 4
MEMBERS_LOGITS: Final = 2.5e10

# From this size on, float16 halves the memory and the time of an exact search, with the same results.
LARGE_CATALOG: Final = 20_000

# Fewest and most epochs, and the positions that a training reads in all of them. On many interactions these
# take about half an hour on two cores.
MANY_EPOCHS: Final = (3, 30, 40_000_000)
# MovieLens-1M by leave-one-out, seeds 7, 8, 9: the best epochs were 18, 11 and 20 of 20.
DENSE_EPOCHS: Final = (3, 20, 40_000_000)

# A training on fewer interactions needs fewer epochs, since its learning rate is higher. MovieLens-100K:
# validation NDCG@10 .124 after 9 epochs with a rate of 0.01, .118 after 24 with 0.003.
FEW_EPOCHS: Final = (8, 24, 400_000)

# With a softmax over a part, a rate of 0.02 and a dropout of 0.2 need fewer again. Validation NDCG@10 with
# these and a sixteenth of the items, and with a rate of 0.01, a dropout of 0.3, 8 to 24 epochs and an eighth,
# in one and a half times the CPU time, seeds 7 and 8: RetailRocket's layout .2801 and .2671, .2779 and .2653;
# Amazon's .0539 and .0524, .0572 and .0538; 100,000 reviews of half the users of the set above, by time,
# .0800 and .0795, .0905 and .0918. Five epochs at a rate of 0.03 are too few: reviews, seed 7, .0758.
PART_EPOCHS: Final = (6, 10, 260_000)

# Shares of a cold start's epochs and of its rate in a refit, chosen on reviews without each user's last one,
# 13 per item, one network. Refitted with the last but two of them, NDCG@10 on the last but one with reranking
# and alone, seed 7: .0704 and .0640 in 1 of 7 epochs at .3 of the rate; .0746 and .0698 in 3 at half of it;
# .0755 and .0710 in 3 at all of it; .0766 and .0709 in 4; .0771 and .0717 in 6. With more per item a longer
# refit brings little. The test split of MovieLens-1M by time, 118 per item: .1109 and .1044 with .15 of the
# epochs at .3 of the rate, .1117 and .1055 with .35 at half of it; .1055 and .0998 from random weights.
FEW_REFIT: Final = (0.6, 1.0)
MANY_REFIT: Final = (0.15, 0.3)


@dataclass(frozen=True)
class Statistics:
    """Statistics of the training data that the choices depend on."""

    interactions: int
    windows: int
    items: int
    mean_length: float
    repeat_share: float  # share of positive interactions whose item has an earlier one in the same window

    @classmethod
    def of(cls, sequences: Sequences, items: int) -> "Statistics":
        """Compute the statistics of a split; `items` is the size of the catalog."""
        rows = np.repeat(np.arange(len(sequences)), sequences.lengths)[sequences.target_weights > 0]
        chosen = len(distinct(rows * np.int64(items) + sequences.target_items))
        count = len(sequences.items)
        return cls(
            interactions=count,
            windows=len(sequences),
            items=items,
            mean_length=count / max(1, len(sequences)),
            repeat_share=1 - chosen / max(1, len(rows)),
        )


def resolve(
    hyperparameters: Hyperparameters, statistics: Statistics
) -> tuple[Hyperparameters, dict[str, str]]:
    """Replace every AUTO by a value; return the hyperparameters, and the reasons by name."""
    reasons: dict[str, str] = {}
    if hyperparameters.loss == "auto":
        hyperparameters = replace(hyperparameters, loss=_loss(statistics))
        reasons["loss"] = f"for {statistics.interactions:,} interactions of {statistics.items:,} items"
    for name, value, reason in _choices(statistics, hyperparameters.loss):
        if getattr(hyperparameters, name) in (AUTO, "auto"):
            hyperparameters = replace(hyperparameters, **{name: value})
            reasons[name] = reason
    if hyperparameters.units == AUTO:
        least = MANY_UNITS if statistics.interactions >= MANY_INTERACTIONS else 0
        units = max(least, 2 * hyperparameters.embedding_size)
        hyperparameters = replace(hyperparameters, units=units)
        reasons["units"] = "2 x embedding_size" + (f", at least {least}" if least else "")
    return hyperparameters, reasons


def _loss(data: Statistics) -> str:
    if data.items > FULL_SOFTMAX_ITEMS:
        return "sampled"
    few = data.interactions < FEW_PER_ITEM * max(1, data.items) and data.interactions <= PART_INTERACTIONS
    return "part" if few and data.items >= PART_ITEMS * _batch_size(data.interactions) else "full"


def _batch_size(interactions: int) -> int:
    # MovieLens-100K, seed 7, validation NDCG@10 after 9 epochs: .119 with 1,280 positions and 2 length
    # classes (data.sequences), .114 with 1,000 and 8, .108 with 1,600 and 8.
    unit, scale = (200, 600) if interactions >= MANY_INTERACTIONS else (160, 1200)
    return unit * _between(4, 64, 2 ** round(0.5 * np.log2(max(1, interactions) / scale)))


def _choices(data: Statistics, loss: str) -> list[tuple[str, Any, str]]:
    count, per_item = max(1, data.interactions), data.interactions / max(1, data.items)
    many, few = data.interactions >= MANY_INTERACTIONS, per_item < FEW_PER_ITEM
    large = data.items >= LARGE_CATALOG
    full, keep = data.items <= FULL_SOFTMAX_ITEMS, data.repeat_share > 0.1
    dense = many and full and not few and not keep
    size = DENSE_SIZE if dense else _between(16, 64, 2 ** round(0.36 * np.log2(count)))
    part, batch = loss == "part", _batch_size(count)
    fewest, most, positions = (
        DENSE_EPOCHS if dense else MANY_EPOCHS if many else PART_EPOCHS if part else FEW_EPOCHS
    )
    epochs = _between(fewest, most, positions / count)
    refit_epochs, refit_rate = FEW_REFIT if few else MANY_REFIT
    return [
        ("embedding_size", size, f"for {count:,} interactions, {per_item:.0f} per item"),
        (
            "members",
            _members(count, data.items) if few and full and not many else 1,
            f"for {per_item:.0f} interactions per item; more than one below {FEW_PER_ITEM}",
        ),
        (
            "seen_negatives",
            "on" if few or data.repeat_share > FEW_REPEATS else "off",
            f"for {per_item:.0f} interactions per item, {data.repeat_share:.0%} of the positive ones repeats",
        ),
        (
            "item_start",
            "random" if few or many else "factors",
            f"for {count:,} interactions, {per_item:.0f} per item",
        ),
        (
            "dropout",
            0.2 if part else 0.3 if per_item < 100 else 0.25,
            f"for {count:,} interactions, {per_item:.0f} per item",
        ),
        (
            "history_mean",
            "projected" if dense else "on" if few else "off",
            f"for {count:,} interactions, {per_item:.0f} per item",
        ),
        ("batch_size", batch, f"positions, for {count:,} interactions"),
        ("learning_rate", 3e-3 if many else 2e-2 if part else 1e-2, f"for {count:,} interactions"),
        ("epochs", epochs, f"{fewest} to {most}, for {positions:,} training positions"),
        ("patience", max(4, epochs // 3), "a third of the epochs"),
        ("refit_epoch_share", refit_epochs, f"for {per_item:.0f} interactions per item"),
        ("refit_learning_rate_share", refit_rate, f"for {per_item:.0f} interactions per item"),
        ("embedding_precision", "float16" if large else "float32", f"for {data.items:,} items"),
        (
            "seen_items",
            "keep" if keep else "filter",
            f"{data.repeat_share:.0%} of the positive ones are repeats",
        ),
    ]


def _members(interactions: int, items: int) -> int:
    return _between(1, MAX_MEMBERS, MEMBERS_LOGITS / (interactions * max(1, items)))


def _between(low: int, high: int, value: float) -> int:
    return int(min(high, max(low, value)))
