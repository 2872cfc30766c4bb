#!/usr/bin/env bash
# With one held-out item per user, precision_at_k of implicit is the hit rate: ten times the usual precision@10.
#
# implicit divides the hits by min(K, held-out items of the user), where precision@K divides by K. Leave-one-out evaluations have
# one held-out item, so "precision" at K = 10 is HR@10, and never the 0.1 at which precision@10 would end. The figure can't be
# compared with a precision that another library computed; it can be compared with a hit rate. Another surprise on the way:
# a recommender of one's own must return item ids as int32; int64, NumPy's usual type, is refused with a ValueError.
#
# Seen with implicit 0.7.3, two of four users find their one item among the first ten:
#   precision 0.5 (the hit rate); hits / (users * 10) is 0.05
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet implicit==0.7.3 numpy==1.26.4 scipy==1.15.3
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from implicit.evaluation import ranking_metrics_at_k
from scipy.sparse import csr_matrix

USERS, ITEMS, K = 4, 20, 10


class FixedList:
    """Recommends items 0 to 9 to everybody."""

    def __init__(self, dtype):
        self.ranking = np.arange(K, dtype=dtype)

    def recommend(self, users, *arguments, **options):
        return np.tile(self.ranking, (len(users), 1)), np.ones((len(users), K), np.float32)


# Users 0 and 1 have held out an item of the list, users 2 and 3 have not.
held_out = csr_matrix((np.ones(USERS), (np.arange(USERS), [0, 1, 18, 19])), shape=(USERS, ITEMS))
nothing = csr_matrix((USERS, ITEMS))
measured = ranking_metrics_at_k(FixedList(np.int32), nothing, held_out, K=K, show_progress=False)
print(f"implicit {version('implicit')}: {measured}; hits / (users * K) = {2 / (USERS * K)}")
assert measured["precision"] == 0.5, measured
try:
    ranking_metrics_at_k(FixedList(np.int64), nothing, held_out, K=K, show_progress=False)
except ValueError as error:
    print(f"item ids as int64: {error}")
else:
    raise AssertionError("item ids of int64 are accepted now")
PYTHON
