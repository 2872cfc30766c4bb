#!/usr/bin/env bash
# A tf.Module that holds a Keras 3 model exports a SavedModel that only tf.saved_model.load can use.
#
# `tf.saved_model.save` writes it without a warning, and `tf.saved_model.load` gives right answers. The TensorFlow 1 loader,
# which TensorFlow Serving's C++ loader follows, restores the graph but not its variables: the first call fails with
# FailedPreconditionError "Could not find variable sequential/dense/kernel". A test that loads an export with
# tf.saved_model.load alone can't see it. Track the raw variables in the module ([v.value for v in model.variables]) and keep
# the Keras model out of tracking, or use model.export().
#
# Seen with tensorflow 2.21.0 and keras 3.15.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet tensorflow==2.21.0 keras==3.15.1
"$folder/venv/bin/python" - <<'PYTHON'
import os
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
import numpy as np
import tensorflow as tf

tf.get_logger().setLevel("ERROR")


class Holder(tf.Module):
    def __init__(self):
        self.model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32)])
    def predict(self, x):
        return {"y": self.model(x)}


module, folder, ones = Holder(), tempfile.mkdtemp(), np.ones([1, 2], np.float32)
tf.saved_model.save(module, folder, signatures={"serving_default": module.predict})
loaded = tf.saved_model.load(folder).signatures["serving_default"](tf.constant(ones))["y"].numpy()
np.testing.assert_allclose(loaded, module.model(ones).numpy())
with tf.compat.v1.Session(graph=tf.Graph()) as session:
    signature = tf.compat.v1.saved_model.load(session, ["serve"], folder).signature_def["serving_default"]
    try:
        session.run(signature.outputs["y"].name, {signature.inputs["x"].name: ones})
        seen = "an answer"
    except tf.errors.FailedPreconditionError as error:
        seen = "Could not find variable" if "Could not find variable" in str(error) else str(error)
print(f"tensorflow {tf.__version__}, keras {keras.__version__}: TensorFlow 1 loader: {seen}")
assert seen == "Could not find variable", seen
PYTHON
