"""Importing Feast cheaply changes nothing else in the process."""

import subprocess
import sys

SCRIPT = """
import sys, typeguard, warnings
typechecked = typeguard.typechecked
import feature_repo.store
assert typeguard.typechecked is typechecked
assert not [found for found in warnings.filters if found[0] == "once"], warnings.filters
heavy = {"tensorflow", "mlflow", "great_expectations", "kfp", "duckdb", "ibis", "gunicorn", "uvicorn"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
import feast.feature_server
assert callable(feast.feature_server.start_server)
"""


def test_type_checks_and_warnings_are_as_before_and_nothing_heavy_is_loaded() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
