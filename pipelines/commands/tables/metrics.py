"""The table of the metrics of a run."""

import json
from pathlib import Path

from rich.table import Table

from feature_repo.counts import counted

METRICS = {
    "ndcg_at_10": "NDCG@10",
    "hr_at_10": "HR@10",
    "mrr_at_10": "MRR@10",
    "ndcg_at_20": "NDCG@20",
    "hr_at_20": "HR@20",
    "coverage_at_10": "coverage@10",
}


def metrics_table(run: Path) -> Table:
    """Return one row per model, the served ranking first, from the evaluation in the folder of a run."""
    evaluation = json.loads(next(run.glob("steps/*/evaluate-release/evaluation/metrics.json")).read_text())
    counts = evaluation["counts"]
    seen = "except" if evaluation["seen_items"] == "filter" else "including"
    table = Table(
        "model",
        caption=f"{counted(counts['test_queries'], 'test query', 'test queries')} of "
        f"{counted(counts['test_users'], 'user')}. All "
        f"{counts['items']:,} items are ranked, {seen} those the user has seen; a tie counts against the "
        f"model. Protocol: {evaluation['protocol']}; seed: {evaluation['seed']}.\n"
        + "\n".join([f"{evaluation['gate_decision']}: {evaluation['reason']}", *evaluation["notes"]]),
        caption_justify="left",
    )
    for heading in METRICS.values():
        table.add_column(heading, justify="right")
    for model, figures in evaluation["models"].items():
        table.add_row(model, *(f"{figures[name]['value']:.4f}" for name in METRICS))
    return table
