#!/usr/bin/env bash
# Among items of equal score, torchmetrics' NDCG takes the mean over all orders; its MRR and hit rate take the order of the input.
#
# Two items have the same score and one is relevant. RetrievalNormalizedDCG gives the mean of 1.0 and 0.631 wherever the relevant
# one stands. RetrievalMRR and RetrievalHitRate give it the first place if it comes first in the tensor, else the second. A model
# that scores many items alike (counts, a constant for new items) so has a fair NDCG beside an MRR and a hit rate that depend on the
# order of the candidates; with the held-out item listed first, as with sampled negatives, a constant score has a hit rate of 1.
#
# Seen with torchmetrics 1.9.0 (torch 2.14.1):
#   relevant item first    NDCG 0.815, MRR 1.0, hit rate at 1: 1.0
#   relevant item second   NDCG 0.815, MRR 0.5, hit rate at 1: 0.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet torchmetrics==1.9.0 torch==2.14.1
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

from torch import tensor
from torchmetrics.retrieval import RetrievalHitRate, RetrievalMRR, RetrievalNormalizedDCG

METRICS = {"NDCG": RetrievalNormalizedDCG(), "MRR": RetrievalMRR(), "hit rate": RetrievalHitRate(top_k=1)}
QUERY = tensor([0, 0])


def measured(relevant):
    scores = tensor([0.5, 0.5])
    return {name: round(float(metric(scores, relevant, indexes=QUERY)), 3) for name, metric in METRICS.items()}


first, second = measured(tensor([1, 0])), measured(tensor([0, 1]))
print(f"torchmetrics {version('torchmetrics')}: relevant first {first}, relevant second {second}")
assert first == {"NDCG": 0.815, "MRR": 1.0, "hit rate": 1.0}, first
assert second == {"NDCG": 0.815, "MRR": 0.5, "hit rate": 0.0}, second
PYTHON
