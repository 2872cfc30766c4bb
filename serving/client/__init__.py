"""The client library: `Recommender` and `AsyncRecommender`, which take and return dataclasses.

Both set a deadline for each call and retry while the service is unavailable. An interaction gets its id
before the first attempt, so a retry never records it twice.

This package imports nothing but gRPC, protobuf and the standard library, so that a client stays small.
"""

from serving.client.async_recommender import AsyncRecommender
from serving.client.recommender import Recommender
from serving.client.shown_answer import ShownAnswer

__all__ = ["AsyncRecommender", "Recommender", "ShownAnswer"]
