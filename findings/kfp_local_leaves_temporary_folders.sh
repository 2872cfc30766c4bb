#!/usr/bin/env bash
# kfp's local runner leaves one folder per task in the folder for temporary files.
#
# The command of a lightweight component writes its source to "$(mktemp -d)/ephemeral_component.py" and does not delete the
# folder. In a container it goes with the container; with SubprocessRunner it stays, so a machine that runs pipelines every
# night collects them. Set TMPDIR to a folder of the run before the pipeline is called, and delete that folder after it.
#
# Seen with kfp 2.17.0, SubprocessRunner(use_venv=False): three tasks leave three folders.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet kfp==2.17.0
cat >"$folder/definitions.py" <<'PYTHON'
from kfp import dsl


@dsl.component(install_kfp_package=False, base_image="python:3.11")
def task():
    pass


@dsl.pipeline
def three_tasks():
    task()
    task()
    task()
PYTHON
mkdir "$folder/temporary"
cd "$folder"
TMPDIR="$folder/temporary" "$folder/venv/bin/python" - <<'PYTHON'
import contextlib
import io
import logging
import os

import definitions
import kfp
from kfp import local

local.init(local.SubprocessRunner(use_venv=False), pipeline_root="outputs")
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    logging.disable(logging.CRITICAL)
    definitions.three_tasks()
left = [os.listdir(os.path.join(os.environ["TMPDIR"], name)) for name in os.listdir(os.environ["TMPDIR"])]
print(f"kfp {kfp.__version__}: folders left by three tasks: {left}")
assert left == [["ephemeral_component.py"]] * 3, left
PYTHON
