"""A recommender over planted releases, in a process of its own, so that clients do not compete with it.

python -m tests.attack.served HOME
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psutil

from tests.serving.service import running

# As in production; the tests' own are as good as infinite.
_SETTINGS: Final[dict[str, Any]] = {"deadline_ms": 1000, "history_budget_ms": 150, "interest_budget_ms": 150}


@contextmanager
def served(home: Path) -> Iterator[tuple[str, psutil.Process]]:
    """Start a recommender with the planted release; yield its address and its process."""
    command = [sys.executable, "-m", "tests.attack.served", str(home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), psutil.Process(process.pid)
        finally:
            process.terminate()


def main() -> None:
    with running(Path(sys.argv[1]), **_SETTINGS) as service:
        print(service.address, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
