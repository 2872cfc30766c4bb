"""A stand-in for a server: announces an address after other lines, or never, and waits for its parent's end.

python -m tests.serving.process.child_server [--hang]
"""

import signal
import sys

from serving.process.parent_process import end_with_parent

NOISE_LINES = 20_000  # more than a pipe holds


def main() -> None:
    end_with_parent()
    print("a library computes on 2 cores", flush=True)
    print("metrics on 127.0.0.1:1", flush=True)
    if "--hang" in sys.argv:
        signal.pause()
    print("recommender on 127.0.0.1:2", flush=True)
    for number in range(NOISE_LINES):
        print(f"line {number}", flush=number == NOISE_LINES - 1)
    signal.pause()


if __name__ == "__main__":
    main()
