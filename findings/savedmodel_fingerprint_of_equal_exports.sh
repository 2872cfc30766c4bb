#!/usr/bin/env bash
# Two exports of one TensorFlow module have different fingerprints, and only a part of them says whether they are equal.
#
# `tf.saved_model.save` of the same object, twice in one process, writes saved_model.pb files whose
# `saved_model_checksum` differs, and gives each fingerprint.pb a `uuid` of its own. So neither the files nor the
# fingerprint say whether two exports are equal. The other four hashes are equal, and
# `tf.saved_model.experimental.read_fingerprint(folder).singleprint()`, which joins them, changes with the weights: compare
# that, or overwrite fingerprint.pb before files are compared.
#
# Seen with tensorflow 2.21.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet tensorflow==2.21.0
"$folder/venv/bin/python" - <<'PYTHON'
import os
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf


class Model(tf.Module):
    def __init__(self):
        self.weights = tf.Variable(tf.ones([2, 2]))

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32)])
    def predict(self, x):
        return x @ self.weights


def fingerprint(model):
    folder = tempfile.mkdtemp()
    tf.saved_model.save(model, folder)
    return tf.saved_model.experimental.read_fingerprint(folder), open(f"{folder}/fingerprint.pb", "rb").read()


model = Model()
(first, first_file), (second, second_file) = fingerprint(model), fingerprint(model)
model.weights.assign(2 * tf.ones([2, 2]))
other, _ = fingerprint(model)
seen = {
    "files equal": first_file == second_file,
    "saved_model_checksum equal": first.saved_model_checksum == second.saved_model_checksum,
    "singleprint equal": first.singleprint() == second.singleprint(),
    "singleprint of other weights equal": first.singleprint() == other.singleprint(),
}
print(f"tensorflow {tf.__version__}, two exports of one module: {seen}")
assert list(seen.values()) == [False, False, True, False], seen
PYTHON
