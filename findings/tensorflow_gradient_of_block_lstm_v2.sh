#!/usr/bin/env bash
# TensorFlow's BlockLSTMV2 computes right outputs and wrong gradients: its gates have another order than those of BlockLSTM.
#
# Both operations run a whole LSTM on the CPU. The gates of BlockLSTM are input, candidate, forget, output; those of BlockLSTMV2
# input, forget, candidate, output. The outputs of each equal those of the same LSTM written with elementary operations; the gradient
# of the weights does so for BlockLSTM only. tf.raw_ops.BlockLSTMV2 has a registered gradient, but it is that of BlockLSTM, which takes
# the forget gate for the candidate. Nothing fails, and a network that trains with it still learns something. (Keras uses neither.)
#
# Seen with tensorflow 2.21.0, numpy 2.4.6, largest difference to elementary operations:
#   BlockLSTM    outputs 0.000, gradient of the weights 0.000 (largest gradient 2.021)
#   BlockLSTMV2  outputs 0.000, gradient of the weights 2.521 (largest gradient 2.452)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet tensorflow==2.21.0 numpy==2.4.6
TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" - 2>"$folder/log" <<'PYTHON' || { cat "$folder/log"; exit 1; }
from importlib.metadata import version

import numpy as np
import tensorflow as tf

STEPS, BATCH, INPUTS, UNITS = 5, 3, 4, 6
random = np.random.default_rng(0)
x, target = (tf.constant(random.normal(size=(STEPS, BATCH, n)), tf.float32) for n in (INPUTS, UNITS))
weights = tf.constant(random.normal(size=(INPUTS + UNITS, 4 * UNITS)) / 3, tf.float32)
bias = tf.constant(random.normal(size=4 * UNITS) / 3, tf.float32)
zero, no_peephole = tf.zeros((BATCH, UNITS)), tf.zeros(UNITS)


def block(operation, options):
    peepholes = {"wci": no_peephole, "wcf": no_peephole, "wco": no_peephole, "use_peephole": False}
    length = tf.constant(STEPS, tf.int64)
    return operation(seq_len_max=length, x=x, cs_prev=zero, h_prev=zero, w=weights, b=bias, **peepholes, **options)[6]


def elementary(order):
    h, c, outputs = zero, zero, []
    for t in range(STEPS):
        gate = dict(zip(order, tf.split(tf.concat([x[t], h], 1) @ weights + bias, 4, axis=1)))
        c = tf.sigmoid(gate["f"]) * c + tf.sigmoid(gate["i"]) * tf.tanh(gate["c"])
        h = tf.sigmoid(gate["o"]) * tf.tanh(c)
        outputs.append(h)
    return tf.stack(outputs)


def outputs_and_gradient(lstm):
    with tf.GradientTape() as tape:
        tape.watch(weights)
        outputs = lstm()
        loss = tf.reduce_sum(outputs * target)
    return outputs, tape.gradient(loss, weights)


print(f"tensorflow {version('tensorflow')}, numpy {version('numpy')}")
seen = {}
for name, order, options in (("BlockLSTM", "icfo", {"forget_bias": 0.0}), ("BlockLSTMV2", "ifco", {})):
    outputs, gradient = outputs_and_gradient(lambda: block(getattr(tf.raw_ops, name), options))
    right_outputs, right_gradient = outputs_and_gradient(lambda: elementary(order))
    seen[name] = float(tf.reduce_max(abs(outputs - right_outputs))), float(tf.reduce_max(abs(gradient - right_gradient)))
    largest = float(tf.reduce_max(abs(right_gradient)))
    print(f"{name}: outputs {seen[name][0]:.3f}, gradient {seen[name][1]:.3f} (largest gradient {largest:.3f})")
assert max(seen["BlockLSTM"]) < 1e-5, seen
assert seen["BlockLSTMV2"][0] < 1e-5 < 1 < seen["BlockLSTMV2"][1], seen
PYTHON
