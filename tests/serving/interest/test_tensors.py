"""Conversion of arrays to tensor messages, and parity with TensorFlow's TensorProto."""

import numpy as np
import pytest
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.dtypes import as_dtype

from serving.interest.tensors import to_array, to_tensor
from serving.model_server import tensors as model_server
from serving.protos import prediction_pb2 as pb

ARRAYS = [
    np.array([[1.5, -2.0]], np.float32),
    np.array([[1.5, -2.0]], np.float64),
    np.array([[1.5, -2.0]], np.float16),
    np.array([[1, -2]], np.int32),
    np.array([[1, -(2**40)]], np.int64),
    np.array([[True, False]]),
    np.array([["a", "é"]], object),
    np.zeros((3, 0), np.float32),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{list(array.shape)}")
def test_arrays_survive_a_round_trip(array: np.ndarray) -> None:
    tensor = pb.Tensor()
    to_tensor(array, tensor)

    decoded = to_array(pb.Tensor.FromString(tensor.SerializeToString()))

    assert decoded.dtype == array.dtype
    np.testing.assert_array_equal(decoded, array)


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{list(array.shape)}")
def test_tensors_are_wire_compatible_with_tensorflow(array: np.ndarray) -> None:
    ours = pb.Tensor()
    to_tensor(array, ours)

    received = TensorProto.FromString(ours.SerializeToString())
    answer = TensorProto()
    model_server.to_tensor(model_server.to_array(received, "input"), as_dtype(received.dtype), answer)

    assert not answer.tensor_content
    np.testing.assert_array_equal(to_array(pb.Tensor.FromString(answer.SerializeToString())), array)


def test_one_value_fills_the_whole_shape() -> None:
    tensor = pb.Tensor(dtype=pb.DT_FLOAT, float_val=[2.5])
    tensor.tensor_shape.dim.add(size=2)

    assert to_array(tensor).tolist() == [2.5, 2.5]


def test_values_that_do_not_fill_the_shape_are_rejected() -> None:
    tensor = pb.Tensor(dtype=pb.DT_FLOAT, float_val=[1, 2, 3])
    tensor.tensor_shape.dim.add(size=2)

    with pytest.raises(ValueError, match="reshape"):
        to_array(tensor)


def test_an_unsupported_dtype_is_rejected() -> None:
    with pytest.raises(ValueError, match=r"expected one of .*float32.*, got complex128"):
        to_tensor(np.zeros(2, np.complex128), pb.Tensor())
    with pytest.raises(ValueError, match="expected a dtype of"):
        to_array(pb.Tensor())
