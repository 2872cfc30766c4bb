"""A process that is killed between any two writes leaves the warehouse as it was, or as it should become."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from components.ingest_interactions.warehouse.manifest import Warehouse

DAY = 1_700_000_000
ROWS = f"user_id,item_id,timestamp\nann,tea,{DAY}\nann,milk,{DAY + 5}\nbob,tea,{DAY + 1}\n"
OLD = {"tea", "milk"}

# Runs a command in copies of a warehouse. The n-th process kills itself at its n-th write: a file that is
# opened for writing, renamed or deleted. The last process is the first one that ends before.
SCRIPT = """
import os, shutil, signal, sys
from pathlib import Path
from components.ingest_interactions.feedback.feedback_options import FeedbackOptions
from components.ingest_interactions.ingestion import Outputs, Sources, ingest
from components.ingest_interactions.warehouse.retraction import retract

warehouse, folder, command, file = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]
for number in range(1, 20):
    copy = folder / str(number)
    shutil.copytree(warehouse, copy / "warehouse")
    if child := os.fork():
        if os.waitpid(child, 0)[1] == 0:
            break
        continue
    writes = 0

    def on_event(event, arguments):
        global writes
        if event not in ("open", "os.rename", "os.remove") or str(copy) not in str(arguments[0]):
            return
        if event != "open" or int(arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR):
            writes += 1
        if writes == number:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(on_event)
    if command == "ingest":
        outputs = [folder / name for name in ("interactions", "items", "users", "feedback")]
        ingest(Sources(interactions_file=file), FeedbackOptions(), str(copy / "warehouse"), Outputs(*outputs))
    else:
        retract(str(copy / "warehouse"), "", ["item_id=tea"])
    os._exit(0)
"""


@pytest.mark.parametrize(("command", "expected"), [("ingest", {"tea", "cake"}), ("retract", {"milk"})])
def test_the_warehouse_is_whole_after_each_write(home: Any, command: str, expected: set[str]) -> None:
    home.ingest(interactions_file=home.write("log.csv", ROWS))
    corrected = home.write("log.csv", ROWS.replace("milk", "cake"))
    project, copies = Path(__file__).parents[4], home.root / "copies"
    arguments = [str(home.warehouse), str(copies), command, corrected]
    subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        cwd=project, env={**os.environ, "PYTHONPATH": str(project)}, check=True,
    )  # fmt: skip

    seen = [items(type(home)(copies / str(number + 1))) for number in range(len(list(copies.glob("[0-9]*"))))]
    assert seen[0] == OLD, "the first write was already visible"
    assert seen[-1] == expected
    assert all(found in (OLD, expected) for found in seen)
    assert seen.count(expected) > 1, "no process was killed after the manifest was replaced"


def items(home: Any) -> set[str]:
    """Return the items of the next snapshot; every listed part must exist."""
    listed = [home.warehouse / part.path for part in Warehouse(str(home.warehouse)).listed()]
    assert all(path.exists() for path in listed)
    home.ingest()
    return {row["item_id"] for row in home.rows("interactions")}
