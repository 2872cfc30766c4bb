"""What a private data set keeps of the real one, and what an attacker finds in it.

python -m tests.private_data [movielens-1m] [--runs 3]

It prints NDCG@10 of the last choice of each user with ten or more, seen items left out, by popularity and by
the transitions of a first-order model: of the real data, and of data drawn under each epsilon. Then an
audit: an attacker who knows a planted user's choices guesses from noised counts whether the user was there.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import pyarrow.parquet as pq
from scipy.stats import beta

from components.private_data.gaussian_privacy import mu_of
from components.private_data.measured_accuracy import HeldOut, gains, hold_out
from components.private_data.private_counts import (
    Ints,
    item_weights,
    noised_counts,
    user_transitions,
)
from components.private_data.synthetic_sequences import draw_sequences

DELTA: Final = 1e-5
EPSILONS: Final = (1.0, 2.0, 4.0, 8.0)


def accuracy(held_out: HeldOut, sequences: Ints, item_count: int) -> tuple[float, float]:
    """Return NDCG@10 by transitions and by popularity in `sequences` [sequences, length]."""
    by_transitions, by_popularity = np.mean(list(gains(held_out, sequences, item_count)), axis=0).tolist()
    return by_transitions, by_popularity


def audited_epsilon(epsilon: float, runs: int, choices: int = 12, seed: int = 0) -> float:
    """Return a lower bound of epsilon (95 %) that an attacker shows on a planted user; 0 without success.

    The attacker sees the noised sums themselves, from which a data set is only drawn, knows everybody else,
    and what the user adds. The test is the likelihood ratio of the transitions, the best one for them (Neyman
    & Pearson 1933); they have 89 % of a user's squared length.
    """
    rng, mu, user = np.random.default_rng(seed), mu_of(epsilon, DELTA), np.zeros(choices, np.int64)
    items = np.arange(choices)

    def score(length: int) -> float:
        counts = noised_counts(user[:length], items[:length], choices, mu, rng, threshold=-np.inf)
        weights = item_weights(counts.choices, mu)
        planted = user_transitions(user, items, weights)
        noised = counts.transitions.toarray() * np.outer(weights, weights)
        return float(noised.ravel()[planted.indices] @ planted.data)

    absent, present = (np.array([score(length) for _ in range(runs)]) for length in (0, choices))
    thresholds = np.quantile(present, np.linspace(0.05, 0.95, 19))
    tail, best = 0.025 / len(thresholds), 0.0
    for threshold in thresholds:
        hits, alarms = np.count_nonzero(present > threshold), np.count_nonzero(absent > threshold)
        least = beta.ppf(tail, hits, runs - hits + 1)
        most = beta.ppf(1 - tail, alarms + 1, runs - alarms)
        best = max(best, float(np.log(max(least - DELTA, 1e-12) / most)))
    return best


def choices(dataset: str) -> tuple[Ints, Ints, int]:
    """Ingest a public data set; returns users, items and the number of items, by user and time."""
    from components.ingest_interactions.feedback.feedback_options import FeedbackOptions
    from components.ingest_interactions.ingestion import Outputs, Sources, ingest
    from components.private_data.choices import read_choices
    from feature_repo.feedback import FeedbackPolicy

    with TemporaryDirectory() as folder:
        outputs = Outputs(*(Path(folder) / name for name in ("interactions", "items", "users", "feedback")))
        ingest(Sources(dataset=dataset), FeedbackOptions(), f"{folder}/warehouse", outputs)
        users, items = read_choices(
            outputs.interactions, outputs.items, FeedbackPolicy.read(outputs.feedback)
        )
        return users, items, pq.read_metadata(outputs.items).num_rows


def rows(dataset: str, runs: int) -> Iterator[str]:
    users, items, item_count = choices(dataset)
    users, items, held_out = hold_out(users, items)
    measured_users = f"{len(held_out.targets):,} of {users[-1] + 1:,} users"
    yield f"{dataset}: {measured_users}, {len(items):,} choices, {item_count:,} items; delta {DELTA:g}"
    real = np.stack([items[:-1], items[1:]], axis=1)[users[1:] == users[:-1]]
    transitions, popular = accuracy(held_out, real, item_count)
    yield f"real data: NDCG@10 {popular:.4f} by popularity, {transitions:.4f} by transitions"
    for epsilon in EPSILONS:
        measured = []
        for run in range(runs):
            rng = np.random.default_rng(run)
            counts = noised_counts(users, items, item_count, mu_of(epsilon, DELTA), rng)
            drawn = draw_sequences(counts, 20_000, 50, rng)
            measured.append(accuracy(held_out, drawn, item_count))
        (transitions, popular), deviation = np.mean(measured, axis=0), np.std(measured, axis=0)[0]
        yield (
            f"epsilon {epsilon:g}: NDCG@10 {popular:.4f} by popularity, {transitions:.4f} by transitions "
            f"(± {deviation:.4f} over {runs} draws)"
        )
    for epsilon in EPSILONS:
        yield f"audit of epsilon {epsilon:g}: at least {audited_epsilon(epsilon, runs=5_000):.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("dataset", nargs="?", default="movielens-1m")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    for row in rows(arguments.dataset, arguments.runs):
        print(row, flush=True)


if __name__ == "__main__":
    main()
