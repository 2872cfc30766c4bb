#!/usr/bin/env bash
# A condition that compares a float output with an int takes neither branch in kfp's local runner.
#
# `dsl.If(step.output > 0)` with a step that returns a float: the local runner of kfp 2.17.0 runs neither the If branch nor
# the Else branch, and reports the pipeline as a success. With `> 0.0` the If branch runs. A gate such as "publish if the gain
# is above 0, else tag as rejected" then silently does nothing.
#
# Seen with kfp 2.17.0, SubprocessRunner(use_venv=False), output 0.5:
#   output > 0      no branch runs
#   output > 0.0    the If branch runs
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet kfp==2.17.0
"$folder/venv/bin/python" - <<'PYTHON'
import contextlib
import io
import logging
import os
import sys
import tempfile

import kfp
from kfp import dsl, local

root = tempfile.mkdtemp()
source = os.path.join(root, "definitions.py")
with open(source, "w") as file:
    file.write(
        """
from kfp import dsl

@dsl.component(install_kfp_package=False, base_image="python:3.11")
def gain() -> float:
    return 0.5

@dsl.component(install_kfp_package=False, base_image="python:3.11")
def take(branch: str, folder: str):
    import pathlib
    pathlib.Path(folder, branch).touch()

@dsl.pipeline
def with_int(folder: str):
    step = gain()
    with dsl.If(step.output > 0):
        take(branch="if", folder=folder)
    with dsl.Else():
        take(branch="else", folder=folder)

@dsl.pipeline
def with_float(folder: str):
    step = gain()
    with dsl.If(step.output > 0.0):
        take(branch="if", folder=folder)
    with dsl.Else():
        take(branch="else", folder=folder)
"""
    )

sys.path.insert(0, root)
import definitions

local.init(local.SubprocessRunner(use_venv=False), pipeline_root=os.path.join(root, "outputs"))
seen = {}
for name, pipeline in (("> 0", definitions.with_int), ("> 0.0", definitions.with_float)):
    folder = os.path.join(root, name.replace(" ", ""))
    os.mkdir(folder)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        logging.disable(logging.CRITICAL)
        pipeline(folder=folder)
    seen[name] = sorted(os.listdir(folder))
print(f"kfp {kfp.__version__}: branches taken {seen}")
assert seen == {"> 0": [], "> 0.0": ["if"]}, seen
PYTHON
