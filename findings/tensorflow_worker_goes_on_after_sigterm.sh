#!/usr/bin/env bash
# A worker of MultiWorkerMirroredStrategy does not end on SIGTERM: TensorFlow takes the signal for a notice of preemption.
#
# When the strategy connects to the other workers, TensorFlow's coordination service handles SIGTERM in the process: it tells all
# workers that this one will be preempted, for those that save a checkpoint then
# (tf.distribute.experimental.PreemptionCheckpointHandler). It does nothing else, so a worker without such a handler goes on, and a
# supervisor that terminates its workers and waits for them waits forever: send SIGKILL. A process without a cluster ends.
#
# Seen with tensorflow 2.21.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet tensorflow==2.21.0
cat > "$folder/worker.py" <<'PYTHON'
import sys
import time

import tensorflow as tf

if sys.argv[2:]:
    cluster = tf.train.ClusterSpec({"worker": sys.argv[2:]})
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        cluster, task_type="worker", task_id=int(sys.argv[1]), rpc_layer="grpc"
    )
    tf.distribute.MultiWorkerMirroredStrategy(resolver)
print("ready", flush=True)
time.sleep(600)
PYTHON
"$folder/venv/bin/python" - "$folder/worker.py" <<'PYTHON'
import os
import signal
import socket
import subprocess
import sys
from importlib.metadata import version

os.environ |= {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
WAIT_S = 20


def start(*arguments):
    command = [sys.executable, sys.argv[1], *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def end_on_sigterm(process):
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(WAIT_S) == -signal.SIGTERM
    except subprocess.TimeoutExpired:
        return False


sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
for each in sockets:
    each.close()
workers, alone = [start(str(number), *addresses) for number in range(2)], start("0")
try:
    assert all(process.stdout.readline() == "ready\n" for process in (*workers, alone))
    worker_ends, other_ends = end_on_sigterm(workers[1]), end_on_sigterm(alone)
finally:
    for process in (*workers, alone):
        process.kill()
print(f"tensorflow {version('tensorflow')}: SIGTERM ends a process without a cluster: {other_ends}; a worker: {worker_ends}")
assert other_ends and not worker_ends
PYTHON
