#!/usr/bin/env bash
# NDCG of RecTools gives a perfect ranking of one held-out item 0.22 of 1 at k = 10, unless told otherwise.
#
# Its ideal ranking has k relevant items, however many the user has (divide_by_achievable=False is the default). With
# leave-one-out, NDCG@10 can then not exceed 1 / (1/log2(2) + … + 1/log2(11)) = 0.2201, and it falls as k grows. MAP of the same
# library divides by what the user can achieve, and gives the same ranking 1.0. A figure of RecTools' NDCG stands beside a published
# NDCG only with divide_by_achievable=True.
#
# Seen with rectools 0.19.0, the held-out item ranked first of ten:
#   NDCG(10) 0.2201   NDCG(10, divide_by_achievable=True) 1.0   MAP(10) 1.0   HitRate(10) 1.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet rectools==0.19.0 2>/dev/null
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import pandas as pd
from rectools.metrics import MAP, NDCG, HitRate, calc_metrics

answers = pd.DataFrame({"user_id": [1] * 10, "item_id": range(10), "rank": range(1, 11)})
held_out = pd.DataFrame({"user_id": [1], "item_id": [0]})
metrics = {
    "NDCG": NDCG(k=10),
    "achievable NDCG": NDCG(k=10, divide_by_achievable=True),
    "MAP": MAP(k=10),
    "hit rate": HitRate(k=10),
}
measured = {name: round(float(value), 4) for name, value in calc_metrics(metrics, answers, held_out).items()}
print(f"rectools {version('rectools')}: {measured}")
assert measured == {"NDCG": 0.2201, "achievable NDCG": 1.0, "MAP": 1.0, "hit rate": 1.0}, measured
PYTHON
