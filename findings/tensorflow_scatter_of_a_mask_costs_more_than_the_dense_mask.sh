#!/usr/bin/env bash
# TensorFlow on a CPU: to write a constant into 6 % of a matrix takes about twice the CPU time of comparing and selecting all of it.
#
# A softmax over a catalog that leaves out what each user has seen needs a mask. It is sparse: 200 seen items for each of 640
# positions, of 3,416 items. tf.tensor_scatter_nd_update touches these elements alone, yet it costs more than the dense way, which
# gathers for every element when its item was first seen (tf.gather), compares (<=) and selects (tf.where). The results are equal.
#
# Seen with tensorflow 2.21.0, numpy 2.4.6, the best of 20 rounds in turn, two cores that also ran other work:
#   scatter / dense: CPU time 1.9, wall time 2.3
# The script fails if the scatter takes no more CPU time than the dense way.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet tensorflow==2.21.0 numpy==2.4.6
TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" - 2>"$folder/log" <<'PYTHON' || { cat "$folder/log"; exit 1; }
from importlib.metadata import version
from time import perf_counter, process_time

import numpy as np
import tensorflow as tf

POSITIONS, ITEMS, SEEN, USERS, ROUNDS, EXCLUDED = 640, 3_416, 200, 4, 20, -1e9
random = np.random.default_rng(0)
logits = tf.constant(random.normal(size=(POSITIONS, ITEMS)), tf.float32)
seen = np.stack([random.choice(ITEMS, SEEN, replace=False) for _ in range(USERS)])
user = np.repeat(np.arange(USERS), POSITIONS // USERS)
first = np.full((USERS, ITEMS), 1e9, np.float32)
np.put_along_axis(first, seen, np.arange(SEEN, dtype=np.float32)[None], axis=1)
first, users = tf.constant(first), tf.constant(user)
until = tf.fill([POSITIONS, 1], np.float32(SEEN))  # every position comes after all of its user's items
cells = tf.constant(np.stack([np.repeat(np.arange(POSITIONS), SEEN), seen[user].ravel()], axis=1), tf.int32)
constant = tf.fill([POSITIONS * SEEN], EXCLUDED)


@tf.function
def scattered():
    return tf.tensor_scatter_nd_update(logits, cells, constant)


@tf.function
def dense():
    return tf.where(tf.gather(first, users) <= until, EXCLUDED, logits)


assert np.array_equal(scattered(), dense())
best = {scattered: [1e9, 1e9], dense: [1e9, 1e9]}
for _ in range(ROUNDS):
    for way, times in best.items():
        wall, cpu = perf_counter(), process_time()
        for _ in range(5):
            way()
        taken = perf_counter() - wall, process_time() - cpu
        times[:] = map(min, times, taken)
wall, cpu = (best[scattered][kind] / best[dense][kind] for kind in (0, 1))
print(f"tensorflow {version('tensorflow')}, numpy {version('numpy')}")
print(f"{POSITIONS * SEEN:,} of {POSITIONS * ITEMS:,} elements; scatter / dense: wall {wall:.1f}, CPU {cpu:.1f}")
assert cpu > 1, "the scatter costs no more than the dense way"
PYTHON
