"""Converts NumPy arrays to TensorFlow's tensor messages and back, without TensorFlow."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from serving.protos import prediction_pb2 as pb

# Wire type -> NumPy dtype, and the field that holds the values if tensor_content is empty.
_KINDS: Final[dict[pb.DataType, tuple[Any, str]]] = {
    pb.DT_FLOAT: (np.float32, "float_val"),
    pb.DT_DOUBLE: (np.float64, "double_val"),
    pb.DT_INT32: (np.int32, "int_val"),
    pb.DT_INT64: (np.int64, "int64_val"),
    pb.DT_BOOL: (np.bool_, "bool_val"),
    pb.DT_HALF: (np.float16, "half_val"),
    pb.DT_STRING: (object, "string_val"),
}
_DTYPES: Final = {np.dtype(dtype): wire for wire, (dtype, _) in _KINDS.items()}


def to_tensor(array: NDArray[Any], tensor: pb.Tensor) -> None:
    """Write `array` (numbers, or strings as objects) into `tensor`.

    Raises:
        ValueError: the dtype is not in the supported subset.
    """
    if array.dtype not in _DTYPES:
        raise ValueError(f"tensor: expected one of {sorted(map(str, _DTYPES))}, got {array.dtype}")
    tensor.dtype = _DTYPES[array.dtype]
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    if array.dtype == object:
        tensor.string_val.extend(array.ravel().tolist())
    else:
        tensor.tensor_content = array.tobytes()


def to_array(tensor: pb.Tensor) -> NDArray[Any]:
    """Return the array in `tensor`; the values may be in tensor_content or in the field of the dtype.

    Raises:
        ValueError: the dtype is not in the supported subset, or the values do not fill the shape.
    """
    if tensor.dtype not in _KINDS:
        raise ValueError(f"tensor: expected a dtype of {sorted(_KINDS)}, got {tensor.dtype}")
    dtype, field = _KINDS[tensor.dtype]
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    if tensor.tensor_content:
        return np.frombuffer(tensor.tensor_content, dtype).reshape(shape)
    values = getattr(tensor, field)
    if tensor.dtype == pb.DT_HALF:
        flat = np.array(values, np.uint16).view(np.float16)
    else:
        flat = np.array(values, dtype)
    # TensorFlow stores a constant tensor as one value.
    return np.broadcast_to(flat, shape) if len(flat) == 1 else flat.reshape(shape)
