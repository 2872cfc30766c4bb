"""An interaction that names no event type has the same one in a file and at the service."""

from pathlib import Path

import pyarrow.parquet as pq

from components.ingest_interactions.feedback.feedback_options import FeedbackOptions
from components.ingest_interactions.ingestion import Outputs, Sources, ingest
from serving.api.validation import RequestLimits, read_interactions
from serving.protos import recommender_pb2 as pb


def test_a_value_without_an_event_type_is_a_rating_in_files_and_requests(tmp_path: Path) -> None:
    values = {"tea": None, "milk": 4.0, "cake": 0.0}
    lines = (f"ann,{item},1700000000,{'' if value is None else value}\n" for item, value in values.items())
    (tmp_path / "log.csv").write_text("user_id,item_id,timestamp,value\n" + "".join(lines))
    names = ("interactions.parquet", "items.parquet", "users.parquet", "feedback.json")
    outputs = Outputs(*(tmp_path / name for name in names))
    sources = Sources(interactions_file=str(tmp_path / "log.csv"))
    ingest(sources, FeedbackOptions(), str(tmp_path / "warehouse"), outputs)
    rows = pq.read_table(outputs.interactions).to_pylist()
    in_file = {row["item_id"]: row["event_type"] for row in rows}

    messages = [pb.Interaction(user_id="ann", item_id=item, value=value) for item, value in values.items()]
    request = pb.RecordInteractionsRequest(interactions=messages)
    recorded = {row.item_id: row.event_type for row in read_interactions(request, RequestLimits())}

    assert in_file == recorded == {"tea": "view", "milk": "rate", "cake": "rate"}
