#!/usr/bin/env bash
# TensorFlow has GPU kernels of tf.gather for float8, but none for integers of 8 or 16 bits.
#
# A mask that is looked up for each position of a batch (when did this user first see each item?) fits into 8 bits, and on a CPU
# gather and comparison of uint8 take 0.4 of the time of float32. On a GPU the comparison and the selection that follow have kernels for
# uint8, and so has the gather of float8_e4m3fn, float8_e5m2 and bool. The gather of uint8, int8, uint16 and int16 has none: with soft
# placement, the default, it runs on the CPU without a warning, and its result is copied back for each batch.
#
# Seen with tensorflow 2.21.0, whose wheel for Linux registers its CUDA kernels on machines without a GPU too:
#   GatherV2 on a GPU: bfloat16 bool complex128 complex64 double float float8_e4m3fn float8_e5m2 half int32 int64
#   Less on a GPU, without uint8: no;  SelectV2 on a GPU, without uint8: no
# The script fails if there is a GPU kernel that gathers integers of 8 or 16 bits.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet tensorflow==2.21.0 numpy==2.4.6
TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" - 2>"$folder/log" <<'PYTHON' || { cat "$folder/log"; exit 1; }
from importlib.metadata import version

from tensorflow.core.framework.types_pb2 import DataType
from tensorflow.python.framework.kernels import get_registered_kernels_for_op


def gpu_types(op: str, attribute: str) -> set[str]:
    """Return the types of an attribute for which an operation has a GPU kernel."""
    kernels = [kernel for kernel in get_registered_kernels_for_op(op).kernel if kernel.device_type == "GPU"]
    constraints = (constraint for kernel in kernels for constraint in kernel.constraint)
    types = (t for c in constraints if c.name == attribute for t in c.allowed_values.list.type)
    return {DataType.Name(t).removeprefix("DT_").lower() for t in types}


gathered, compared, selected = (
    gpu_types(op, attribute) for op, attribute in (("GatherV2", "Tparams"), ("Less", "T"), ("SelectV2", "T"))
)
print(f"tensorflow {version('tensorflow')}")
print("GatherV2 on a GPU:", *sorted(gathered))
assert {"float", "float8_e4m3fn", "bool"} <= gathered, "the wheel does not register its GPU kernels any more"
assert "uint8" in compared & selected, "Less or SelectV2 has no GPU kernel for uint8"
assert not gathered & {"uint8", "int8", "uint16", "int16"}, "there is a GPU kernel that gathers small integers"
PYTHON
