"""Evaluations with planted answers: the target of each query has a rank that the test chooses."""

from typing import Any

import numpy as np
import pyarrow as pa

from components.evaluate_release.dossier.held_out_answers import HISTORY, LISTED, HeldOutAnswers
from components.evaluate_release.dossier.items_table import ItemsTable
from components.evaluate_release.dossier.stored_evaluation import StoredEvaluation
from components.evaluation_files import FORMAT

N_USERS, N_ITEMS = 80, 40
USERS = np.arange(N_USERS)
DAY = 86_400_000_000


def answers(served: Any, popularity: Any = 20, shift: int = 0) -> HeldOutAnswers:
    """Return one query a user.

    Args:
        served, popularity: the rank of the target, of each user or of all.
        shift: rotates the items of the lists, so that two versions recommend other items.
    """
    lists = (USERS[:, None] + np.arange(LISTED) + shift) % N_ITEMS
    return HeldOutAnswers(
        user_ids=np.array([f"u{user}" for user in USERS], object),
        cutoffs=USERS * DAY,
        target_ids=np.array([f"i{user % N_ITEMS}" for user in USERS], object),
        lengths=np.full(N_USERS, 7),
        history=np.tile(np.arange(HISTORY), (N_USERS, 1)),
        ranks={
            "served": np.broadcast_to(served, N_USERS),
            "transitions": np.broadcast_to(12, N_USERS),
            "popularity": np.broadcast_to(popularity, N_USERS),
        },
        items=dict.fromkeys(("served", "transitions", "popularity"), lists),
        slices={"half": {"first": USERS < N_USERS // 2, "second": USERS >= N_USERS // 2}},
    )


def items(n_items: int = N_ITEMS) -> ItemsTable:
    columns = {
        "item_id": [f"i{item}" for item in range(n_items)],
        "title": [f"Film <{item}>" for item in range(n_items)],
        "categories": ["Drama"] * n_items,
        "interactions": np.arange(n_items)[::-1] + 1,
    }
    return ItemsTable(pa.table(columns))


def facts(**changes: Any) -> dict[str, Any]:
    """Return the facts of a version; `changes` replaces entries."""
    figure = {"value": 0.2, "low": 0.1, "high": 0.3}
    gate = {"outcome": "undecided", "reason": "NDCG@10 0.2 is not enough; it needs more", "goes_live": False}
    return {
        "format": FORMAT,
        "gate": gate | {"policy": "review"},
        "notes": [],
        "protocol": "time",
        "seed": 1,
        "learned_until": 5 * DAY,
        "trained_until": "2026-11-01 00:00:00",
        "baseline": "transitions",
        "counts": {"items": N_ITEMS, "test_queries": 200, "test_users": N_USERS},
        "figures": {
            "served": dict.fromkeys(("ndcg_at_10", "hr_at_10", "coverage_at_10"), figure),
            "transitions": {"ndcg_at_10": {"value": 0.1}},
        },
        "data": {
            "interactions": 1000,
            "users": N_USERS,
            "items": N_ITEMS,
            "catalog": N_ITEMS,
            "first": 0,
            "last": 5 * DAY,
            "event_types": {"view": 900.0, "purchase": 100.0},
            "values": {},
            "categories": {"Drama": 1000.0},
            "top_shares": {"1 %": 0.1},
            "gini": 0.3,
        },
        "validation": {"rows": 1010.0, "valid_rows": 1000.0, "quarantined_rows": 4.0, "duplicate_rows": 6.0},
        "quarantine": {"timestamp is in the future": 4},
        "hyperparameters": {"epochs": "8", "seed": "7"},
        "lineage": {"data": "d1", "code": "c1", "image": "", "pipeline_run": "p", "tracking_run": "r"},
        "serving": {
            "requests": 150,
            "ranking_p50_ms": 1.0,
            "ranking_p99_ms": 2.0,
            "model_p50_ms": 3.0,
            "model_mb": 1.5,
            "arrays_mb": 5.0,
        },
        **changes,
    }


def stored(served: Any = 3, shift: int = 0, users: int = N_USERS, **changes: Any) -> StoredEvaluation:
    hashes = np.arange(users, dtype=np.uint64)
    return StoredEvaluation(facts(**changes), answers(served, shift=shift), items(), hashes)
