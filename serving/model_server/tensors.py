"""Converts TensorProto to NumPy arrays and back, as TensorFlow Serving does."""

from typing import Any, Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.core.framework.tensor_pb2 import TensorProto

from serving.model_server.errors import invalid

Array = NDArray[Any]

# The field of the values of each dtype in Tensor::AsProtoField (tensorflow/core/framework/tensor.cc).
_FIELDS: Final = {
    tf.float32: "float_val",
    tf.float64: "double_val",
    tf.int8: "int_val",
    tf.int16: "int_val",
    tf.int32: "int_val",
    tf.uint8: "int_val",
    tf.uint16: "int_val",
    tf.int64: "int64_val",
    tf.uint32: "uint32_val",
    tf.uint64: "uint64_val",
    tf.bool: "bool_val",
    tf.string: "string_val",
    tf.complex64: "scomplex_val",
    tf.complex128: "dcomplex_val",
    tf.float16: "half_val",
    tf.bfloat16: "half_val",
}


def to_array(tensor: TensorProto, alias: str) -> Array:
    """Return the array in `tensor`; `alias` is the name of the input in error messages."""
    try:
        array: Array = tf.make_ndarray(tensor)
    except (TypeError, ValueError, KeyError, OverflowError, MemoryError) as error:
        raise invalid(f"tensor parsing error: {alias}") from error
    return array


def to_tensor(array: Array, dtype: Any, tensor: TensorProto) -> None:
    """Write `array` into `tensor`, with the values in the field of TensorFlow's `dtype`."""
    tensor.dtype = dtype.as_datatype_enum
    tensor.tensor_shape.SetInParent()
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    flat = array.ravel()
    if dtype in (tf.float16, tf.bfloat16):
        flat = flat.view(np.uint16)
    elif dtype in (tf.complex64, tf.complex128):
        flat = flat.view(flat.real.dtype)
    getattr(tensor, _FIELDS[dtype]).extend(flat.tolist())
