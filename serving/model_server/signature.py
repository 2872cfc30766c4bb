"""A signature of a loaded model: checks its inputs and outputs, and runs it in a Session."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.protobuf.config_pb2 import CallableOptions
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef, TensorInfo

from feature_repo.contract import ATTRIBUTE_INPUTS, SEQUENCE_INPUTS
from serving.model_server.batching import Batcher, Run
from serving.model_server.errors import invalid
from serving.model_server.tensors import Array, to_array


@dataclass(frozen=True, slots=True)
class _Tensor:
    """An input or output; -1 in `shape` matches any size, and the shape None matches any shape."""

    name: str
    dtype: Any
    dtype_enum: int
    shape: tuple[int, ...] | None

    @classmethod
    def of(cls, info: TensorInfo) -> Self:
        shape = None if info.tensor_shape.unknown_rank else tuple(dim.size for dim in info.tensor_shape.dim)
        return cls(info.name, tf.dtypes.as_dtype(info.dtype), info.dtype, shape)

    @property
    def has_batch_dimension(self) -> bool:
        return self.shape is not None and self.shape[:1] == (-1,)

    def matches(self, shape: tuple[int, ...]) -> bool:
        return self.shape is None or (
            len(shape) == len(self.shape)
            and all(expected in (-1, size) for expected, size in zip(self.shape, shape, strict=True))
        )


class Signature:
    """Checks and runs calls of one signature, with the errors of TensorFlow Serving's predict_util.cc."""

    def __init__(self, session: Any, definition: SignatureDef) -> None:
        self._session = session
        self._inputs = {alias: _Tensor.of(info) for alias, info in sorted(definition.inputs.items())}
        self._outputs = {alias: _Tensor.of(info) for alias, info in sorted(definition.outputs.items())}
        self._runs: dict[tuple[str, ...], Run] = {}

    def arrays(self, inputs: Mapping[str, TensorProto]) -> list[Array]:
        """Return the inputs of a request in the order of the signature.

        Raises:
            Failure: INVALID_ARGUMENT, an input is missing, unknown, malformed, or has another dtype or shape.
        """
        if inputs.keys() != self._inputs.keys():
            raise invalid(self._mismatch(set(inputs)))
        return [self._checked(position, alias, inputs[alias]) for position, alias in enumerate(self._inputs)]

    def aliases(self, output_filter: Iterable[str]) -> tuple[str, ...]:
        """Return the outputs in `output_filter`; all outputs if it is empty.

        Raises:
            Failure: INVALID_ARGUMENT, an output is unknown or listed twice.
        """
        aliases = tuple(output_filter)
        for alias in aliases:
            if alias not in self._outputs:
                raise invalid(
                    f"output tensor alias not found in signature: {alias} "
                    f"Outputs expected to be in the set {{{','.join(sorted(self._outputs))}}}."
                )
            if aliases.count(alias) > 1:
                raise invalid(f"duplicate output tensor alias: {alias}")
        return aliases or tuple(self._outputs)

    def run(self, aliases: tuple[str, ...], arrays: list[Array]) -> list[Array]:
        """Return the outputs `aliases`."""
        # Two threads may create the callable at the same time; the first is kept. Cheaper than a lock.
        run = self._runs.get(aliases) or self._runs.setdefault(aliases, self._make_run(aliases))
        return run(arrays)

    def dtype(self, alias: str) -> Any:
        """Return TensorFlow's dtype of an output."""
        return self._outputs[alias].dtype

    def _make_run(self, aliases: tuple[str, ...]) -> Run:
        # Session.make_callable calls Session.run if there are feeds: two and a half times as long.
        call = self._session._make_callable_from_options(
            CallableOptions(
                feed=[tensor.name for tensor in self._inputs.values()],
                fetch=[self._outputs[alias].name for alias in aliases],
            )
        )

        def run(arrays: list[Array]) -> list[Array]:
            outputs: list[Array] = call(*arrays)
            return outputs

        tensors = [*self._inputs.values(), *(self._outputs[alias] for alias in aliases)]
        if not all(tensor.has_batch_dimension for tensor in tensors):
            return run
        return Batcher(run, [alias in SEQUENCE_INPUTS | ATTRIBUTE_INPUTS for alias in self._inputs])

    def _checked(self, position: int, alias: str, tensor: TensorProto) -> Array:
        own = self._inputs[alias]
        if tensor.dtype != own.dtype_enum:
            provided = _dtype_name(tensor.dtype)
            raise invalid(
                f"Expects arg[{position}] to be {own.dtype.name} but {provided} is provided (input {alias})"
            )
        array = to_array(tensor, alias)
        if not own.matches(array.shape):
            raise invalid(f"input {alias}: expected shape {own.shape}, got {array.shape}")
        return array

    def _mismatch(self, sent: set[str]) -> str:
        required = set(self._inputs)
        listed = [",".join(sorted(names)) for names in (sent, required, sent - required, required - sent)]
        return (
            f"input size does not match signature: {len(sent)}!={len(required)} len({{{listed[0]}}}) != "
            f"len({{{listed[1]}}}). Sent extra: {{{listed[2]}}}. Missing but required: {{{listed[3]}}}."
        )


def _dtype_name(dtype: int) -> str:
    try:
        return str(tf.dtypes.as_dtype(dtype).name)
    except TypeError:
        return f"dtype {dtype}"
