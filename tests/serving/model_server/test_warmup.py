"""Warmup requests of a SavedModel."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog, SessionRunLog

from serving.model_server.servable import Servable
from serving.model_server.warmup import WARMUP_REQUESTS, replay
from tests.serving.model_server.tiny_model import predict_request, sequences, write_warmup


def test_replay_runs_requests_in_order(tmp_path: Path) -> None:
    requests = [predict_request("tiny", sequences(["i1"] * length)) for length in (1, 2)]
    write_warmup(tmp_path, requests)
    seen: list[PredictRequest] = []

    assert replay(tmp_path, seen.append) == 2
    assert seen == requests


def test_replay_accepts_a_model_without_warmup(tmp_path: Path) -> None:
    assert replay(tmp_path, pytest.fail) == 0


def test_replay_rejects_more_than_a_thousand_requests(tmp_path: Path) -> None:
    write_warmup(tmp_path, [PredictRequest()] * 1001)

    with pytest.raises(tf.errors.InvalidArgumentError, match=r"exceeds the maximum \(1000\)"):
        replay(tmp_path, lambda request: None)


def test_replay_rejects_a_file_without_records(tmp_path: Path) -> None:
    write_warmup(tmp_path, [])
    (tmp_path / WARMUP_REQUESTS).write_bytes(b"no records at all, but long enough to look like one")

    with pytest.raises(tf.errors.DataLossError):
        replay(tmp_path, lambda request: None)


def test_replay_rejects_a_record_that_is_no_prediction_log(tmp_path: Path) -> None:
    write_warmup(tmp_path, [])
    with tf.io.TFRecordWriter(str(tmp_path / WARMUP_REQUESTS)) as writer:
        writer.write(b"\xff\xff")

    with pytest.raises(tf.errors.InvalidArgumentError, match="Failed to parse warmup record"):
        replay(tmp_path, lambda request: None)


def test_replay_rejects_a_record_of_another_method(tmp_path: Path) -> None:
    write_warmup(tmp_path, [])
    with tf.io.TFRecordWriter(str(tmp_path / WARMUP_REQUESTS)) as writer:
        writer.write(PredictionLog(session_run_log=SessionRunLog()).SerializeToString())

    with pytest.raises(
        tf.errors.UnimplementedError, match="Unsupported log_type for warmup: session_run_log"
    ):
        replay(tmp_path, lambda request: None)


def test_a_failing_request_fails_the_load(releases: Mapping[float, Path], tmp_path: Path) -> None:
    directory = tmp_path / "1"
    shutil.copytree(releases[1.0], directory)
    write_warmup(directory, [predict_request("tiny", {"item_ids": sequences(["i1"])["item_ids"]})])

    with pytest.raises(tf.errors.InvalidArgumentError, match="Missing but required"):
        Servable.load(directory, "tiny", 1)
