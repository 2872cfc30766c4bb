#!/usr/bin/env bash
# MLflow can't open a SQLite database again if a process was killed while MLflow migrated the new, empty database.
#
# A first use of `sqlite:///FILE` takes seconds: MLflow creates the tables of its oldest schema, and then runs some fifty
# migrations. SQLite commits each CREATE TABLE at once, but the version of the schema is written after the whole migration.
# After a kill between the two, every later command repeats that migration and ends with "table … already exists"; only deleting
# the file helps. Make a new database beside its place, and rename it when MLflow has finished.
#
# Seen with mlflow 3.17.2: OperationalError, table entity_associations already exists.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet mlflow==3.17.2
export MLFLOW_DISABLE_TELEMETRY=true HOME="$folder" DATABASE="$folder/mlflow.db"
"$folder/venv/bin/python" - <<'PYTHON'
import os
import subprocess
import sys

OPEN = "mlflow.MlflowClient('sqlite:///' + os.environ['DATABASE']).search_experiments()"
KILLED = f"""
import os, signal, mlflow
from sqlalchemy import Engine, event

@event.listens_for(Engine, "after_cursor_execute")
def kill(connection, cursor, statement, *more):
    if "CREATE TABLE entity_associations" in statement:
        os.kill(os.getpid(), signal.SIGKILL)

{OPEN}
"""
first = subprocess.run([sys.executable, "-c", KILLED], capture_output=True)
print("first process: exit code", first.returncode)
assert first.returncode == -9
second = subprocess.run([sys.executable, "-c", f"import os, mlflow; {OPEN}"], capture_output=True, text=True)
errors = [line for line in second.stderr.splitlines() if "OperationalError" in line]
print("second process: exit code", second.returncode, *errors[-1:])
assert second.returncode == 1
assert "table entity_associations already exists" in errors[-1]
PYTHON
