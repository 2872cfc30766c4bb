#!/usr/bin/env bash
# np.unique of integers takes many times as long as np.sort: since NumPy 2.3 it hashes them, and then sorts what is left.
#
# Until NumPy 2.2 np.unique sorted, and the sort of integers uses vector instructions (AVX2, AVX-512). Since 2.3 it inserts each
# integer into a hash set, one allocation for each distinct one. Distinct users or items of a million interactions take most of a
# second instead of some hundredths; so do np.union1d and np.setdiff1d, which call it. With return_counts, return_index or
# return_inverse np.unique still sorts, so that asking for more takes less time. See numpy/numpy#31969.
#
# Seen with NumPy 2.4.6, a million different integers, on a processor with AVX-512:
#   np.unique 13 times the time of a sort that keeps the first of equal neighbours
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import time

import numpy as np

COUNT = 1_000_000
values = np.random.default_rng(0).integers(0, 1 << 40, COUNT)


def distinct(values):
    ascending = np.sort(values)
    return ascending[np.flatnonzero(np.diff(ascending, prepend=ascending[0] - 1))]


def seconds(function):
    """Return the least CPU time of five calls."""
    times = []
    for _ in range(5):
        started = time.process_time()
        function(values)
        times.append(time.process_time() - started)
    return min(times)


assert np.array_equal(np.unique(values), distinct(values))
hashed, ascending = seconds(np.unique), seconds(distinct)
with_counts = seconds(lambda values: np.unique(values, return_counts=True))
print(
    f"NumPy {np.__version__}, {COUNT:,} integers: np.unique {1e3 * hashed:.0f} ms, with return_counts "
    f"{1e3 * with_counts:.0f} ms, sort and compare {1e3 * ascending:.0f} ms"
)
assert hashed > 2 * ascending and hashed > 2 * with_counts, (hashed, ascending, with_counts)
PYTHON
