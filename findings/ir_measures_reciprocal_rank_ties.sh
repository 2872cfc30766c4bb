#!/usr/bin/env bash
# RR and RR@10 of ir-measures break ties in opposite ways.
#
# Two documents have the same score and one of them is relevant. RR (computed by pytrec_eval) and RR@10 (computed by another
# provider of the package) then disagree: where one ranks the relevant document first, the other ranks it second. The cutoff
# changes nothing here, there are two documents. An evaluation that counts ties must not mix the two, nor compare one with
# nDCG@10, P@1 or Success@1, which follow RR.
#
# Seen with ir-measures 0.4.3:
#   relevant b ties with a    RR 1.0, nDCG@10 1.0,   RR@10 0.5
#   relevant b ties with c    RR 0.5, nDCG@10 0.631, RR@10 1.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet ir-measures==0.4.3
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import ir_measures
from ir_measures import RR, Qrel, ScoredDoc, nDCG


def measured(other):
    run = [ScoredDoc("query", "b", 1.0), ScoredDoc("query", other, 1.0)]
    found = ir_measures.calc_aggregate([RR, RR @ 10, nDCG @ 10], [Qrel("query", "b", 1)], run)
    return {str(measure): round(value, 3) for measure, value in found.items()}


seen = {other: measured(other) for other in ("a", "c")}
print(f"ir-measures {version('ir-measures')}: {seen}")
assert seen["a"] == {"RR": 1.0, "nDCG@10": 1.0, "RR@10": 0.5}, seen
assert seen["c"] == {"RR": 0.5, "nDCG@10": 0.631, "RR@10": 1.0}, seen
PYTHON
