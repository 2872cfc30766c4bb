"""Slices of the queries, computed by hand."""

from dataclasses import replace

import numpy as np
import pyarrow as pa

from components.evaluate_release.data.queries import read_queries
from components.evaluate_release.metrics import slices
from components.metrics.accuracy import MISS
from components.metrics.bootstrap import MIN_USERS
from components.metrics.ranked_queries import RankedQueries
from feature_repo.feedback import FeedbackPolicy
from feature_repo.table_schemas import TRAINING_SET
from serving.release.catalog import FOREVER, Catalog
from tests.components.evaluate_release.ring_world import row

N = 4
INDEX = pa.array([f"i{item}" for item in range(N)])
DAY = slices.MICROSECONDS_A_DAY

POLICY = FeedbackPolicy()


def catalog(domains):
    open_ended = np.full(N, FOREVER)
    return Catalog(INDEX.to_pylist(), [""] * N, [[]] * N, domains, np.zeros(N, np.int64), open_ended)


def test_each_dimension_splits_the_queries() -> None:
    rows = pa.Table.from_pylist(
        [
            row(1, [], [], 3 * DAY, "test", 0),
            row(2, [3] * 5, [1] * 5, 400 * DAY, "test", 1),
            row(3, [3] * 5, [1] * 5, 400 * DAY, "test", 2),
        ],
        TRAINING_SET,
    )
    queries = read_queries(rows, "test", INDEX, 0, POLICY)
    # item 0 holds 50 of 100 interactions, 1 the next 30, 2 none
    popularity = np.array([50, 30, 0, 20], np.float32)
    first_seen = np.array([0, 0, 399 * DAY, 0])
    dimensions = slices.split_queries(
        queries, catalog(["film", "book", "book", ""]), popularity, first_seen, {"u001", "u002"}
    )
    by_hand = {
        "history length": {"none": [0], "5–19": [1, 2]},
        "user": {"in the training split": [0, 1], "new": [2]},
        "target's popularity": {"head third": [0], "middle third": [1], "not in the training split": [2]},
        "target's age": {"up to a week": [0, 2], "older": [1]},
        "target's domain": {"film": [0], "book": [1, 2]},
    }
    actual = {
        name: {label: np.flatnonzero(mask).tolist() for label, mask in cut.items()}
        for name, cut in dimensions.items()
    }
    assert actual == by_hand


def test_each_attribute_of_the_users_is_a_dimension() -> None:
    rows = pa.Table.from_pylist([row(user, [], [], 3 * DAY, "test", 0) for user in (1, 2, 3)], TRAINING_SET)
    queries = read_queries(rows, "test", INDEX, 0, POLICY)
    users = pa.table({"user_id": ["u003", "u001"], "group": ["b", "a"], "country": ["x", "x"]})
    actual = slices.split_queries(
        queries, catalog([""] * N), np.ones(N, np.float32), np.zeros(N, np.int64), set(), users
    )
    # all users share the country, and u002 has no attributes
    assert list(actual) == ["user's group"]
    labels = {label: np.flatnonzero(mask).tolist() for label, mask in actual["user's group"].items()}
    assert labels == {"a": [0], "b": [2]}


def test_a_dimension_with_one_label_is_left_out() -> None:
    rows = pa.Table.from_pylist([row(1, [], [], 3 * DAY, "test", 0)], TRAINING_SET)
    queries = read_queries(rows, "test", INDEX, 0, POLICY)
    assert (
        slices.split_queries(queries, catalog([""] * N), np.ones(N, np.float32), np.zeros(N, np.int64), set())
        == {}
    )


def test_measure_uses_only_the_queries_of_a_slice() -> None:
    ranks = np.array([1, MISS] + [1] * MIN_USERS)
    models = {"served": RankedQueries(ranks, np.zeros((len(ranks), 20), np.int32))}
    is_old = np.arange(len(ranks)) < 2
    dimensions = {"user": {"old": is_old, "new": ~is_old}}
    old, new = slices.measure(dimensions, models, users=np.arange(len(ranks)), seed=0)
    assert (old.queries, old.ndcg_at_10, old.recall_at_10) == (2, {"served": 0.5}, {"served": 0.5})
    assert (old.low, old.high) == ({}, {})
    assert (new.low, new.high) == ({"served": 1.0}, {"served": 1.0})


def test_an_items_age_starts_when_it_is_available_or_at_its_first_interaction() -> None:
    rows = pa.Table.from_pylist([row(1, [], [], 400 * DAY, "test", item) for item in (0, 1)], TRAINING_SET)
    queries = read_queries(rows, "test", INDEX, 0, POLICY)
    available_from = np.array([399 * DAY, 0, 0, 0])
    items, nobody = replace(catalog([""] * N), available_from=available_from), set[str]()
    first_seen = np.array([0, 350 * DAY, 0, 0])
    ages = slices.split_queries(queries, items, np.ones(N, np.float32), first_seen, nobody)["target's age"]
    assert {label: mask.tolist() for label, mask in ages.items()} == {
        "up to a week": [True, False],
        "up to half a year": [False, True],
    }
