"""The behaviour that clients of TensorFlow Serving rely on, taken from its own tests."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest, SignatureDefMap
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from feature_repo.contract import SIGNATURES
from tests.patience import HANG_S
from tests.serving.model_server.served_model import ServedModel, fails
from tests.serving.model_server.tiny_model import sequences

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND


def test_predict_returns_the_model_spec_with_version_and_signature(model: ServedModel) -> None:
    spec = model.predict(model.request()).model_spec

    assert (spec.name, spec.version.value, spec.signature_name) == (model.name, 1, "serving_default")


def test_predict_returns_values_in_the_field_of_the_dtype(model: ServedModel) -> None:
    outputs = model.predict(model.request(["i1", "i2"], ["i3"])).outputs

    # 0.5 * [1, 1] + [2, 1] = [2.5, 1.5]
    assert list(outputs["interest"].float_val) == [2.5, 1.5, 3.0, 1.0]
    assert list(outputs["as_of"].int64_val) == [2, 1]
    assert [dim.size for dim in outputs["interest"].tensor_shape.dim] == [2, 2]
    assert outputs["interest"].dtype == tf.float32.as_datatype_enum
    assert outputs["interest"].tensor_content == b""


def test_predict_returns_strings(model: ServedModel) -> None:
    outputs = model.predict(model.request(["i1"], signature="top_items")).outputs

    # [1, 1] . [k, 1] = k + 1
    assert list(outputs["item_ids"].string_val) == [b"i9", b"i8", b"i7"]
    assert list(outputs["scores"].float_val) == [10.0, 9.0, 8.0]


def test_predict_reads_values_from_their_own_field_or_from_tensor_content(model: ServedModel) -> None:
    request = model.request(["i1", "i2"])
    request.inputs["timestamps"].ClearField("tensor_content")
    request.inputs["timestamps"].int64_val.extend([0, 7, 8])

    assert list(model.predict(request).outputs["as_of"].int64_val) == [8]


def test_predict_accepts_one_value_for_a_whole_shape(model: ServedModel) -> None:
    request = model.request(["i1", "i2"])
    request.inputs["timestamps"].ClearField("tensor_content")
    request.inputs["timestamps"].int64_val.extend([5])

    assert list(model.predict(request).outputs["as_of"].int64_val) == [5]


def test_an_empty_output_filter_selects_every_output(model: ServedModel) -> None:
    assert set(model.predict(model.request()).outputs) == set(SIGNATURES["serving_default"]["outputs"])


def test_an_output_filter_limits_the_outputs(model: ServedModel) -> None:
    request = model.request()
    request.output_filter.extend(["as_of"])

    assert set(model.predict(request).outputs) == {"as_of"}


def test_an_output_filter_with_an_unknown_output_is_rejected(model: ServedModel) -> None:
    request = model.request()
    request.output_filter.append("mood")

    with fails(INVALID, "output tensor alias not found in signature: mood"):
        model.predict(request)


def test_an_output_filter_with_a_duplicate_is_rejected(model: ServedModel) -> None:
    request = model.request()
    request.output_filter.extend(["as_of", "as_of"])

    with fails(INVALID, "duplicate output tensor alias: as_of"):
        model.predict(request)


def test_a_request_without_model_spec_is_rejected(model: ServedModel) -> None:
    with fails(INVALID, "Missing ModelSpec"):
        model.predict(PredictRequest())
    with fails(INVALID, "Missing ModelSpec"):
        model.client.prediction.GetModelMetadata(GetModelMetadataRequest(), timeout=HANG_S)
    with fails(INVALID, "Missing ModelSpec"):
        model.client.models.GetModelStatus(GetModelStatusRequest(), timeout=HANG_S)


def test_a_model_spec_without_a_name_is_rejected(model: ServedModel) -> None:
    request = model.request()
    request.model_spec.name = ""

    with fails(INVALID, "ModelSpec has no name specified."):
        model.predict(request)


def test_an_unknown_model_is_not_found(model: ServedModel) -> None:
    request = model.request()
    request.model_spec.name = "nobody"

    with fails(NOT_FOUND, "Servable not found for request: Latest(nobody)"):
        model.predict(request)


def test_an_unknown_version_is_not_found(model: ServedModel) -> None:
    with fails(NOT_FOUND, f"Servable not found for request: Specific({model.name}, 9)"):
        model.interest(version=9)


def test_an_unknown_signature_is_a_failed_precondition(model: ServedModel) -> None:
    with fails(grpc.StatusCode.FAILED_PRECONDITION, 'Serving signature key "mood" not found.'):
        model.predict(model.request(signature="mood"))


def test_a_missing_input_is_rejected_by_name(model: ServedModel) -> None:
    request = model.request()
    del request.inputs["timestamps"]

    with fails(INVALID, "input size does not match signature: 5!=6", "Missing but required: {timestamps}"):
        model.predict(request)


def test_an_extra_input_is_rejected_by_name(model: ServedModel) -> None:
    request = model.request()
    request.inputs["mood"].CopyFrom(tf.make_tensor_proto([1.0]))

    with fails(INVALID, "input size does not match signature: 7!=6", "Sent extra: {mood}"):
        model.predict(request)


def test_an_input_under_a_wrong_name_is_rejected(model: ServedModel) -> None:
    request = model.request()
    request.inputs["mood"].CopyFrom(request.inputs.pop("timestamps"))

    with fails(INVALID, "timestamps"):
        model.predict(request)


def test_a_wrong_dtype_is_rejected(model: ServedModel) -> None:
    request = model.request()
    request.inputs["timestamps"].CopyFrom(tf.make_tensor_proto([[0.0, 1.0]]))

    with fails(INVALID, "to be int64 but float"):
        model.predict(request)


def test_a_wrong_rank_is_rejected(model: ServedModel) -> None:
    request = model.request()
    request.inputs["item_ids"].CopyFrom(tf.make_tensor_proto([b"", b"i1"]))

    with fails(INVALID):
        model.predict(request)


def test_values_that_do_not_fill_the_shape_are_rejected(model: ServedModel) -> None:
    request = model.request(["i1", "i2"])
    request.inputs["values"].tensor_content = b"\0" * 7

    with fails(INVALID, "tensor parsing error: values"):
        model.predict(request)


def test_an_error_of_the_graph_keeps_its_status(model: ServedModel) -> None:
    request = model.request(["i1", "i2"])
    request.inputs["timestamps"].CopyFrom(tf.make_tensor_proto(np.zeros((5, 9), np.int64)))

    with fails(INVALID):
        model.predict(request)


@pytest.mark.parametrize("length", [0, 1, 2, 200])
def test_predict_accepts_any_length(model: ServedModel, length: int) -> None:
    inputs = {name: array[:, 1:] for name, array in sequences(["i1"] * length).items()}
    request = model.request()
    for name, array in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(array, shape=array.shape))

    # 1 + 1/2 + 1/4 + ... to `length` terms
    expected = 2 * (1 - 0.5**length)
    assert list(model.predict(request).outputs["interest"].float_val) == pytest.approx([expected] * 2)


def test_metadata_contains_every_signature(model: ServedModel) -> None:
    metadata = model.metadata("signature_def")

    signatures = SignatureDefMap()
    metadata.metadata["signature_def"].Unpack(signatures)
    assert (metadata.model_spec.name, metadata.model_spec.version.value) == (model.name, 1)
    for name, signature in SIGNATURES.items():
        assert set(signatures.signature_def[name].inputs) == set(signature["inputs"])
        assert set(signatures.signature_def[name].outputs) == set(signature["outputs"])


def test_metadata_requires_a_field(model: ServedModel) -> None:
    with fails(INVALID, "GetModelMetadataRequest must specify at least one metadata_field"):
        model.metadata()


def test_metadata_rejects_other_fields(model: ServedModel) -> None:
    with fails(INVALID, "mood", "is not supported"):
        model.metadata("mood")


def test_metadata_of_an_unknown_model_is_not_found(model: ServedModel) -> None:
    model.name = "nobody"

    with fails(NOT_FOUND, "Servable not found for request: Latest(nobody)"):
        model.metadata("signature_def")


def test_status_of_an_unknown_model_is_not_found(model: ServedModel) -> None:
    model.name = "nobody"

    with fails(NOT_FOUND, "Could not find any versions of model nobody"):
        model.statuses()


def test_status_of_an_unknown_version_is_not_found(model: ServedModel) -> None:
    request = GetModelStatusRequest()
    request.model_spec.name = model.name
    request.model_spec.version.value = 9

    with fails(NOT_FOUND, f"Could not find version 9 of model {model.name}"):
        model.client.models.GetModelStatus(request, timeout=HANG_S)
