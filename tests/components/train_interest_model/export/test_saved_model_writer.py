"""The exported SavedModel, compared with the trained model."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.fingerprint_pb2 import FingerprintDef

from components.errors import StepError
from components.saved_model import ServedModel
from components.train_interest_model.data.sequences import encode as encode_rows
from components.train_interest_model.data.sequences import read_rows
from components.train_interest_model.data.vocabulary import Vocabulary
from components.train_interest_model.export.saved_model_writer import FINGERPRINT, export, histories
from components.train_interest_model.export.warmup_requests import LENGTHS, REQUESTS
from components.train_interest_model.hyperparameters import Hyperparameters
from components.train_interest_model.network.model import InterestModel
from components.user_attributes import attributes_of
from feature_repo import attributes
from feature_repo.attributes import Attributes
from feature_repo.contract import ATTRIBUTE_INPUTS, FORECAST, INTEREST, PAD, SIGNATURES
from feature_repo.histories import History
from feature_repo.histories import encode as encode_histories
from feature_repo.table_schemas import TRAINING_SET
from tests.components.train_interest_model.conftest import World

ENCODERS = ("lstm", "lstm members history on", "lstm members history projected", "gru", "rnn", "cnn")
KNOWN: dict[str, Any] = {
    "attributes": ["gender=F", "gender=M", "age<0", "age<1", "age<2"],
    "attribute_edges": {"age": [20.0, 40.0]},
}


def encode(whole: list[History], of_users: list[Attributes] | None = None) -> dict[str, np.ndarray]:
    """Return the inputs of `serving_default`."""
    return encode_histories(whole) | attributes.encode(of_users or [Attributes()] * len(whole))


def untrained(world: World, encoder: str) -> tuple[InterestModel, Vocabulary]:
    """Return a model with random weights, so that no part of the comparison is near zero."""
    tf.keras.utils.set_random_seed(3)
    vocabulary = Vocabulary(world.item_ids, ["click", "view"], [0.0, 1.0, 2.0, 3.0, 4.0], **KNOWN)
    members = 2 if "members" in encoder else 1
    settings = Hyperparameters(
        encoder=encoder.split()[0],
        history_mean=encoder.split("history ")[-1] if "history" in encoder else "off",
        members=members,
        embedding_size=8 // members,
        units=10,
        layers=3,
        dropout=0.0,
        use_positions=True,
        use_user_attributes=True,
    )
    content = np.random.default_rng(0).normal(size=(len(world.item_ids), 3)).astype(np.float32)
    model = InterestModel(settings, len(world.item_ids), vocabulary.sizes, content)
    for variable in model.trainable_weights:
        variable.assign(tf.random.normal(variable.shape, stddev=0.5))
    return model, vocabulary


@pytest.fixture(scope="module", params=ENCODERS)
def exported(request: pytest.FixtureRequest, cycle: World, tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    model, vocabulary = untrained(cycle, request.param)
    directory = tmp_path_factory.mktemp(request.param)
    rows = read_rows(cycle.training_set, "all").slice(0, 4)
    given = [["gender=M", "age"], ["hair=red", "age"], [], ["age", "gender=F"]]
    values = [[np.nan, 40.0], [np.nan, 39.0], [], [7.0, np.nan]]
    for name, lists in (("attributes", given), ("attribute_values", values)):
        column = pa.array(lists, TRAINING_SET.field(name).type)
        rows = rows.set_column(rows.column_names.index(name), name, column)
    export(model, vocabulary, filter_seen=True, probes=rows, output=directory)
    served = ServedModel(directory / "saved_model")
    yield model, vocabulary, rows, directory, served
    served.close()


def test_the_saved_model_equals_the_keras_model(exported) -> None:  # type: ignore[no-untyped-def]
    model, vocabulary, rows, _, served = exported
    encoded = encode_rows(rows, vocabulary)
    expected = model.last_interests(model.item_vectors(), encoded.pad(np.arange(4), 13)).numpy()
    answer = served.run("serving_default", encode(histories(rows), attributes_of(rows)))
    np.testing.assert_allclose(answer["interest"], expected, atol=1e-5)
    assert np.abs(expected).mean() > 0.1
    assert answer["as_of"].tolist() == [[row[-1]] for row in rows["timestamps"].to_pylist()]


def test_advance_equals_replaying_the_history(exported) -> None:  # type: ignore[no-untyped-def]
    *_, rows, _, served = exported
    whole = histories(rows)
    of_users = attributes_of(rows)
    replayed = served.run("serving_default", encode(whole, of_users))
    before = served.run("serving_default", encode([part(history, 0, -3) for history in whole], of_users))
    kept = {"state": before["state"], "as_of": before["as_of"]}
    rest = encode_histories([part(history, -3, None) for history in whole])
    advanced = served.run("advance", {**kept, **rest})
    for name, value in replayed.items():
        np.testing.assert_allclose(advanced[name], value, atol=1e-4, err_msg=name)
    unmoved = served.run("advance", {**kept, **encode_histories([History()] * 4)})
    for name, value in before.items():
        np.testing.assert_allclose(unmoved[name], value, atol=1e-5, err_msg=name)
    assert np.abs(replayed["interest"] - before["interest"]).max() > 0.01


def test_unknown_ids_and_padding_are_skipped_at_any_position(exported) -> None:  # type: ignore[no-untyped-def]
    *_, rows, _, served = exported
    clean = encode(histories(rows))
    random = np.random.default_rng(1)
    count, length = clean["item_ids"].shape
    width = length + 15
    noisy = {
        "item_ids": random.choice(np.array([PAD, "unknown"], object), (count, width)),
        "event_types": np.full((count, width), "view", object),
        "values": np.full((count, width), 3, np.float32),
        "timestamps": np.full((count, width), 77, np.int64),
    }
    for row in range(count):
        places = np.sort(random.permutation(width)[:length])
        for name in noisy:
            noisy[name][row, places] = clean[name][row]
    of_users = {name: clean[name] for name in ATTRIBUTE_INPUTS}
    expected, answer = served.run("serving_default", clean), served.run("serving_default", noisy | of_users)
    for name, value in expected.items():
        np.testing.assert_allclose(answer[name], value, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("length", [0, 1, 3])
def test_an_empty_history_ranks_items_by_bias(exported, length: int) -> None:  # type: ignore[no-untyped-def]
    model, vocabulary, *_, served = exported
    empty = {name: value[:, [0] * length] for name, value in encode([History()]).items()}
    answer = served.run("serving_default", empty)
    assert answer["interest"].tolist() == [[0.0] * 8 + [1.0]]
    assert not answer["state"].any()
    best = served.run("top_items", empty)["item_ids"][0, 0].decode()
    assert best == vocabulary.item_ids[int(np.argmax(model.item_bias.numpy()))]


def test_empty_and_full_histories_can_share_a_batch(exported) -> None:  # type: ignore[no-untyped-def]
    *_, rows, _, served = exported
    whole = histories(rows)
    alone = served.run("serving_default", encode(whole))["interest"]
    mixed = served.run("serving_default", encode([History(), *whole, History()]))["interest"]
    np.testing.assert_allclose(mixed[1:-1], alone, atol=1e-5)
    assert mixed[[0, -1], :-1].any() == np.False_


def test_a_cold_interest_depends_on_the_known_attributes_only(exported) -> None:  # type: ignore[no-untyped-def]
    model, *_, rows, _, served = exported
    cold = served.run("serving_default", encode([History()] * 4, attributes_of(rows)))
    codes = np.array([[2, 5], [0, 4], [0, 0], [3, 1]], np.int32)  # 40 is in the bucket from 40 on, 39 is not
    expected = model.cold_interests({"attributes": tf.constant(codes)}).numpy()
    np.testing.assert_allclose(cold["interest"][:, :-1], expected, atol=1e-5)
    assert not expected[2].any()
    assert np.abs(expected[[0, 1, 3]]).mean() > 0.1
    # In a batch with a longer row, TensorFlow Serving repeats the first element.
    longer = {
        name: value[:, [0, *range(value.shape[1]), 0]]
        for name, value in attributes.encode(attributes_of(rows)).items()
    }
    padded = served.run("serving_default", encode([History()] * 4) | longer)
    np.testing.assert_allclose(padded["interest"], cold["interest"], atol=1e-6)


def test_top_items_are_the_best_unseen_items_by_the_exported_embeddings(exported) -> None:  # type: ignore[no-untyped-def]
    _, vocabulary, rows, directory, served = exported
    whole = histories(rows)
    embeddings = np.load(directory / "item_embeddings.npy")
    interest = served.run("serving_default", encode(whole))["interest"]
    answer = served.run("top_items", encode(whole))
    scores = interest @ embeddings.T
    for row, history in enumerate(whole):
        seen = [vocabulary.item_ids.index(item) for item in history.item_ids]
        scores[row, seen] = -np.inf
        order = np.argsort(-scores[row])
        left = len(vocabulary.item_ids) - len(set(seen))
        assert [item.decode() for item in answer["item_ids"][row, :5]] == [
            vocabulary.item_ids[place] for place in order[:5]
        ]
        np.testing.assert_allclose(answer["scores"][row, :left], scores[row, order[:left]], atol=1e-4)
        assert set(answer["item_ids"][row, left:]) == {b""}


def test_the_signatures_equal_the_contract(exported) -> None:  # type: ignore[no-untyped-def]
    *_, directory, _ = exported
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(directory / "saved_model"))
    for name, sides in SIGNATURES.items():
        definition = loaded.signature_def[name]
        for side, declared in (("inputs", definition.inputs), ("outputs", definition.outputs)):
            dtypes = {key: tf.as_dtype(info.dtype).name for key, info in declared.items()}
            has_forecast = side == "outputs" and INTEREST in sides[side]
            assert dtypes == sides[side] | ({FORECAST: "float32"} if has_forecast else {})


def test_every_warmup_request_runs(exported) -> None:  # type: ignore[no-untyped-def]
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    *_, directory, served = exported
    records = list(tf.data.TFRecordDataset(str(directory / "saved_model" / REQUESTS)).as_numpy_iterator())
    requests = set()
    for record in records:
        request = PredictionLog.FromString(record).predict_log.request
        inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        assert served.run(request.model_spec.signature_name, inputs)
        requests.add(
            (request.model_spec.signature_name, tuple(request.output_filter), inputs["item_ids"].size)
        )
    kinds = dict.fromkeys(SIGNATURES, ()).items() | {
        (signature, (output,))
        for signature in ("serving_default", "advance")
        for output in (INTEREST, FORECAST)
    }
    assert requests == {(*kind, 1 + length) for kind in kinds for length in LENGTHS}


def test_equal_models_are_equal_files(exported) -> None:  # type: ignore[no-untyped-def]
    """No file has a random number, or entries in a random order."""
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    *_, directory, _ = exported
    fingerprint = FingerprintDef.FromString((directory / "saved_model" / FINGERPRINT).read_bytes())
    assert fingerprint.saved_model_checksum
    assert fingerprint.uuid == ""
    records = list(tf.data.TFRecordDataset(str(directory / "saved_model" / REQUESTS)).as_numpy_iterator())
    assert records
    for record in records:
        assert PredictionLog.FromString(record).SerializeToString(deterministic=True) == record


def test_every_weight_is_stored_only_once(exported) -> None:  # type: ignore[no-untyped-def]
    *_, directory, _ = exported
    names = [
        name
        for name, _ in tf.train.list_variables(str(directory / "saved_model" / "variables" / "variables"))
    ]
    assert len(names) == len(set(names))
    sizes = [
        shape
        for name, shape in tf.train.list_variables(str(directory / "saved_model" / "variables" / "variables"))
    ]
    assert sizes.count([60, 9]) == 1
    assert not [shape for shape in sizes if shape in ([60, 8], [60, 3])]


def test_a_saved_model_with_other_answers_is_not_exported(
    cycle: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, vocabulary = untrained(cycle, "gru")
    monkeypatch.setattr(
        "components.train_interest_model.export.serving_module._gap_buckets",
        lambda timestamps, _: tf.zeros_like(timestamps),
    )
    rows = read_rows(cycle.training_set, "all").slice(0, 4)
    with pytest.raises(StepError, match="differs from the trained model"):
        export(model, vocabulary, True, rows, tmp_path)
    assert not (tmp_path / "saved_model").exists()
    assert not pq.ParquetFile(cycle.training_set).closed


def part(history: History, start: int, end: int | None) -> History:
    cut = slice(start, end)
    return History(
        [], history.item_ids[cut], history.event_types[cut], history.values[cut], history.timestamps[cut]
    )
