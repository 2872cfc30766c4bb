#!/usr/bin/env bash
# kfp's local runner executes independent tasks in another order at each run, also with a fixed PYTHONHASHSEED.
#
# The runner sorts the tasks topologically, in the order of the map of tasks in the compiled pipeline. That is a protobuf map,
# whose order protobuf's C implementation derives from an address in memory: it changes from process to process, and
# PYTHONHASHSEED does not fix it. So a run is reproducible only if no task depends on what an independent one leaves outside of
# its outputs, and a log of a run can't be compared line by line with another one. Wire such tasks with .after().
#
# Seen with kfp 2.17.0, protobuf 6.33.6: six independent tasks, six runs with PYTHONHASHSEED=0, six orders.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet kfp==2.17.0 protobuf==6.33.6
cat >"$folder/definitions.py" <<'PYTHON'
from kfp import dsl


@dsl.component(install_kfp_package=False, base_image="python:3.11")
def note(name: str, file: str):
    with open(file, "a") as notes:
        notes.write(name)


@dsl.pipeline
def independent(file: str):
    for name in "abcdef":
        note(name=name, file=file)
PYTHON
cat >"$folder/run.py" <<'PYTHON'
import contextlib
import io
import logging
import os
import sys

import definitions
from kfp import local

local.init(local.SubprocessRunner(use_venv=False), pipeline_root="outputs")
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    logging.disable(logging.CRITICAL)
    definitions.independent(file=os.path.abspath(sys.argv[1]))
PYTHON
cd "$folder"
for run in 1 2 3 4 5 6; do
    PYTHONHASHSEED=0 TMPDIR="$folder" "$folder/venv/bin/python" run.py "order-$run"
done
"$folder/venv/bin/python" - <<'PYTHON'
import glob

import google.protobuf
import kfp

orders = [open(file).read() for file in sorted(glob.glob("order-*"))]
print(f"kfp {kfp.__version__}, protobuf {google.protobuf.__version__}: orders {orders}")
assert all(sorted(order) == list("abcdef") for order in orders), orders
assert len(set(orders)) > 1, orders
PYTHON
