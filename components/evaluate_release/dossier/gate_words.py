"""Says in words what the release gate would need to decide "better"."""

from typing import Any

from components.evaluate_release.dossier.paired_comparison import PairedRow
from components.evaluate_release.metrics.bootstrap import MIN_USERS
from components.evaluate_release.model_names import LABELS, SERVED
from components.evaluate_release.release_gate import MIN_QUERIES


def what_it_would_take(
    facts: dict[str, Any], has_live: bool, against_live: PairedRow | None, against_baseline: PairedRow
) -> str:
    """Return a sentence or two about a version that is not "better", "" for one that is.

    Args:
        facts: of the version, as facts.facts returns.
        has_live: whether a version is live.
        against_live: all queries that were compared with the live version; None if there are none.
        against_baseline: all test queries.
    """
    if facts["gate"]["outcome"] == "better":
        return ""
    counts = facts["counts"]
    if counts["test_queries"] < MIN_QUERIES or counts["test_users"] < MIN_USERS:
        return (
            f"It would take {max(0, MIN_QUERIES - counts['test_queries']):,} more test queries and "
            f"{max(0, MIN_USERS - counts['test_users']):,} more users with one."
        )
    served, baseline = (facts["figures"][name]["ndcg_at_10"]["value"] for name in (SERVED, facts["baseline"]))
    if served < baseline:
        return (
            f"It would take an NDCG@10 that is {baseline - served:.4f} higher, as high as that of the best "
            f"baseline, {LABELS[facts['baseline']].lower()}."
        )
    if not has_live:
        return _of_difference(against_baseline, "best baseline")
    if against_live:
        return _of_difference(against_live, "live version")
    return (
        f"It would take a comparison on the same queries: at least {MIN_QUERIES} test queries that are newer "
        "than the data of the live version."
    )


def _of_difference(row: PairedRow, other: str) -> str:
    if row.low is None or row.high is None:
        return f"It would take at least {MIN_USERS} users in the comparison with the {other}."
    if row.low > 0:
        return (
            f"The paired comparison with the {other} below shows a difference above zero; the gate compared "
            "other figures, see its reason. A person may approve."
        )
    half = (row.high - row.low) / 2
    if row.difference <= 0:
        return (
            f"It would take an NDCG@10 that is about {half - row.difference:.4f} higher on these "
            f"{row.queries:,} queries. More queries alone would show this difference more clearly, not "
            "change its sign."
        )
    # The width of an interval falls with the square root of the number of queries.
    needed = max(row.queries + 1, round(row.queries * (half / row.difference) ** 2))
    return (
        f"It would take a difference above {half:.4f} instead of {row.difference:.4f}, or about {needed:,} "
        f"instead of {row.queries:,} queries with this difference."
    )
