#!/usr/bin/env bash
# Keras 3's Adam does not use TensorFlow's fused operation for Adam: each variable's update is 12 operations instead of one.
#
# TensorFlow has ResourceApplyAdam, which updates a variable and both of its moments in one pass over the memory, and
# tf.compat.v1.train.AdamOptimizer calls it. The optimizers of Keras 3 are written with the operations of any backend, so on the TensorFlow
# backend the traced step has only elementwise ones, each with a result of the variable's size; a CPU does not compile it by default. The
# values are the same.
# With the large embedding tables of a recommender this is a large part of a training step: for one of [14240, 256] the fused
# operation took 6.4 CPU ms and Keras's 15.9. This script counts operations, not time.
#
# Seen with tensorflow 2.21.0, keras 3.15.1, numpy 2.4.6, the operations of one step on one variable:
#   keras.optimizers.Adam    12, three of them updates in place: of the weights and of both moments
#   ResourceApplyAdam        1, and after five steps the weights differ by 3.3e-06 at most
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet tensorflow==2.21.0 keras==3.15.1 numpy==2.4.6
TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" - 2>"$folder/log" <<'PYTHON' || { cat "$folder/log"; exit 1; }
from importlib.metadata import version

import keras
import numpy as np
import tensorflow as tf

RATE, BETA_1, BETA_2, EPSILON, STEPS = 0.1, 0.9, 0.999, 1e-7, 5
random = np.random.default_rng(0)
start = random.normal(size=(40, 8)).astype(np.float32)
gradients = random.normal(size=(STEPS, 40, 8)).astype(np.float32)

by_keras = keras.Variable(start)
optimizer = keras.optimizers.Adam(RATE, BETA_1, BETA_2, EPSILON)
optimizer.build([by_keras])
fused, first, second, number = (tf.Variable(value) for value in (start, 0 * start, 0 * start, 0.0))


@tf.function
def keras_step(gradient):
    optimizer.apply_gradients([(gradient, by_keras)])


@tf.function
def fused_step(gradient):
    number.assign_add(1)
    tf.raw_ops.ResourceApplyAdam(
        var=fused.handle, m=first.handle, v=second.handle, beta1_power=BETA_1**number, beta2_power=BETA_2**number,
        lr=RATE, beta1=BETA_1, beta2=BETA_2, epsilon=EPSILON, grad=gradient,
    )


def operations(step):
    """Return the types of the operations that compute or write an array of the variable's size."""
    graph = step.get_concrete_function(tf.TensorSpec([40, 8])).graph
    sized = [op for op in graph.get_operations() if any(array.shape == (40, 8) for array in (*op.outputs, *op.inputs))]
    return [op.type for op in sized if op.type not in ("Placeholder", "ReadVariableOp", "Identity", "IdentityN")]


for gradient in gradients:
    keras_step(gradient)
    fused_step(gradient)
difference = float(np.abs(by_keras.numpy() - fused.numpy()).max())
counted, alone = operations(keras_step), operations(fused_step)
print(f"tensorflow {version('tensorflow')}, keras {version('keras')}, numpy {version('numpy')}")
print(f"keras.optimizers.Adam: {len(counted)} operations, {sorted(counted)}; largest difference of the weights {difference:.1e}")
print(f"fused: {alone}")
assert difference < 1e-5, difference
assert "ResourceApplyAdam" not in counted and len(counted) == 12, counted
assert alone == ["ResourceApplyAdam"], alone
PYTHON
