#!/usr/bin/env bash
# The status that kfp gives to an exit handler does not say which step failed, nor why.
#
# An exit task with a parameter of type PipelineTaskFinalStatus gets the status of the *group* of steps. With the local runner
# its error message is "Task exit-handler-1 failed.": neither the name of the step nor its exception. The exit task cannot read
# outputs of the steps either (the compiler refuses that), and an ExitHandler inside of a dsl.If is refused as well. A message
# that names the step needs another source: a file that the steps or the runner write, or on a cluster the API's task details.
#
# Seen with kfp 2.17.0, SubprocessRunner(use_venv=False).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet kfp==2.17.0
cat >"$folder/definitions.py" <<'PYTHON'
from kfp import dsl


@dsl.component(install_kfp_package=False, base_image="python:3.11")
def lose_a_disk():
    raise OSError("the disk is lost")


@dsl.component(install_kfp_package=False, base_image="python:3.11")
def report(file: str, status: dsl.PipelineTaskFinalStatus):
    import dataclasses
    import json

    with open(file, "w") as output:
        json.dump(dataclasses.asdict(status), output)


@dsl.pipeline
def reported(file: str):
    with dsl.ExitHandler(report(file=file)):
        lose_a_disk()
PYTHON
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import contextlib
import io
import json
import logging

import definitions
import kfp
from kfp import dsl, local

local.init(local.SubprocessRunner(use_venv=False), pipeline_root="outputs")
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    logging.disable(logging.CRITICAL)
    try:
        definitions.reported(file="status.json")
    except RuntimeError:
        pass
with open("status.json") as file:
    status = json.load(file)
print(f"kfp {kfp.__version__}: {status}")
assert status["state"] == "FAILED", status
assert status["pipeline_task_name"] == "exit-handler-1", status
assert "lose-a-disk" not in json.dumps(status) and "the disk is lost" not in json.dumps(status), status

try:

    @dsl.pipeline
    def nested(file: str):
        with dsl.If(file != ""):
            with dsl.ExitHandler(definitions.report(file=file)):
                definitions.lose_a_disk()

except ValueError as error:
    print(error)
else:
    raise AssertionError("an ExitHandler inside of a dsl.If was compiled")
PYTHON
