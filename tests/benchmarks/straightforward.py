"""A first version that one might write: Feast's SDK for users and items, TensorFlow Serving, NumPy.

python -m tests.benchmarks.straightforward HOME MODEL_SERVER
"""

import io
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import feast
import grpc
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from feature_repo.contract import HISTORY_LISTS, INTEREST_MODEL, USER_HISTORY
from feature_repo.store import connect_store
from feature_repo.store_addresses import FeatureStoreAddresses
from serving.configuration.settings import ServingSettings
from serving.protos import recommender_pb2 as pb
from serving.protos.recommender_pb2_grpc import (
    RecommenderServiceServicer,
    add_RecommenderServiceServicer_to_server,
)
from serving.release.release_store import ReleaseStore

# Items whose features are read from Feast, as for a reranker.
CANDIDATES: Final = 200
POPULARITY: Final = "statistics:interactions"

INPUTS: Final = {
    "item_ids": tf.string,
    "event_types": tf.string,
    "values": tf.float32,
    "timestamps": tf.int64,
}


class Straightforward(RecommenderServiceServicer):
    """Answers Recommend from the same online store, model server and release as the recommender."""

    def __init__(self, settings: ServingSettings, model_server: str) -> None:
        releases = ReleaseStore(settings.releases)
        ranking = releases.open(releases.live() or 0)
        self._catalog, self._embeddings = ranking.catalog, ranking.item_embeddings
        self._users = connect_store(
            FeatureStoreAddresses(settings.features, settings.registry, settings.online_store)
        )
        self._items = _item_store(settings)
        self._stub = PredictionServiceStub(grpc.insecure_channel(model_server))

    def Recommend(  # noqa: N802
        self, request: pb.RecommendRequest, context: grpc.ServicerContext
    ) -> pb.RecommendResponse:
        features = [f"{USER_HISTORY}:{name}" for name in HISTORY_LISTS]
        user = self._users.get_online_features(features, [{"user_id": request.user_id}]).to_dict()
        history = {name: user[name][0] for name in INPUTS}
        scores = self._embeddings @ self._interest(history)
        scores[[self._catalog.index[item] for item in history["item_ids"]]] = -np.inf
        best = np.argpartition(-scores, CANDIDATES)[:CANDIDATES]
        rows = [{"item_id": self._catalog.item_ids[item]} for item in best]
        items = self._items.get_online_features([POPULARITY, "content:title"], rows).to_dict()
        scores = scores[best] + 0.1 * np.log1p(np.array(items["interactions"], float))
        return pb.RecommendResponse(
            recommendations=[
                pb.Recommendation(
                    item_id=rows[place]["item_id"], title=items["title"][place], score=float(scores[place])
                )
                for place in np.argsort(-scores)[: request.k]
            ],
            basis=pb.BASIS_HISTORY,
        )

    def _interest(self, history: dict[str, list[Any]]) -> np.ndarray[Any, Any]:
        request = PredictRequest()
        request.model_spec.name = INTEREST_MODEL
        for name, dtype in INPUTS.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto([history[name]], dtype))
        for name, empty in (("attributes", ""), ("attribute_values", float("nan"))):
            request.inputs[name].CopyFrom(tf.make_tensor_proto([[empty]]))
        return np.asarray(tf.make_ndarray(self._stub.Predict(request).outputs["interest"])[0])


def _item_store(settings: ServingSettings) -> Any:
    """Return a separate Feast store whose online store has the item features."""
    item = feast.Entity(name="item", join_keys=["item_id"], value_type=feast.ValueType.STRING)
    fields = {
        "statistics": feast.Field(name="interactions", dtype=feast.types.Int64),
        "content": feast.Field(name="title", dtype=feast.types.String),
    }
    views = [
        feast.FeatureView(
            name=name,
            entities=[item],
            schema=[field],
            source=feast.FileSource(
                name=f"{name}_table",
                path=str(_write_table(settings.home, name)),
                timestamp_field="event_timestamp",
            ),
        )
        for name, field in fields.items()
    ]
    folder = Path(settings.home, "straightforward")
    databases = str(folder / "registry.db"), str(folder / "online_store.db")
    store = connect_store(FeatureStoreAddresses(settings.features, *databases))
    store.apply([item, *views])
    now = datetime.now(UTC)
    with redirect_stdout(io.StringIO()):
        store.materialize(now - timedelta(days=365), now)
    return store


def _write_table(home: Path, name: str) -> Path:
    """Write the item table `name` as Feast reads it: the count of interactions, or the title."""
    items = pq.read_table(home / "items.parquet", columns=["item_id", "title"])
    if name == "statistics":
        counts = pq.read_table(home / "interactions.parquet", columns=["item_id"])["item_id"].value_counts()
        by_item = {count["values"]: count["counts"] for count in counts.to_pylist()}
        column = pa.array([by_item.get(item, 0) for item in items["item_id"].to_pylist()], pa.int64())
        items = items.drop_columns("title").append_column("interactions", column)
    moment = pa.array([datetime.now(UTC)] * len(items), pa.timestamp("us", "UTC"))
    file = home / "straightforward" / f"item_{name}.parquet"
    file.parent.mkdir(exist_ok=True)
    pq.write_table(items.append_column("event_timestamp", moment), file)
    return file


def main() -> None:
    settings = ServingSettings(home=Path(sys.argv[1]))
    server = grpc.server(ThreadPoolExecutor(settings.max_in_flight))
    service = Straightforward(settings, sys.argv[2])
    add_RecommenderServiceServicer_to_server(service, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"straightforward on 127.0.0.1:{port}", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
