"""The verdict at the top of a dossier, and its main figures."""

from dataclasses import dataclass
from typing import Any, Final

from components.model_names import SERVED

_LEVELS: Final = {"better": "good", "worse": "bad"}


@dataclass(frozen=True)
class Verdict:
    """`level`: good, warn or bad. `next` says who decides, "" where nobody has to."""

    level: str
    headline: str
    reasons: list[str]  # sentences
    next: str = ""


@dataclass(frozen=True)
class Tile:
    """A main figure."""

    name: str
    value: str
    note: str


def verdict(page: dict[str, Any], version: int | None, name: str) -> Verdict:
    """Return what the gate decided; of two compared versions, which one is better."""
    gate, other = page["facts"]["gate"], page["other"]
    if gate is None:
        return _of_comparison(page, name)
    figures, baseline = page["facts"]["figures"], page["facts"]["baseline"]
    below = figures[SERVED]["ndcg_at_10"]["value"] < figures[baseline]["ndcg_at_10"]["value"]
    compared = "the best baseline" if below or not other else "the live version"
    headline = {
        "better": f"Better than {compared}",
        "undecided": f"Not shown to be better than {compared}",
        "worse": f"Worse than {compared}",
    }[gate["outcome"]]
    return Verdict(
        _LEVELS.get(gate["outcome"], "warn"), headline, _sentences(gate["reason"]), _next(gate, version)
    )


def _sentences(reason: str) -> list[str]:
    """Return the clauses of the gate's reason as sentences."""
    return [f"{clause[:1].upper()}{clause[1:]}." for clause in reason.split("; ")]


def _next(gate: dict[str, Any], version: int | None) -> str:
    if gate["goes_live"]:
        return f"Under the policy {gate['policy']} it goes live without a review."
    number = "VERSION" if version is None else version
    return f"A person decides: penchant review approve {number}, or penchant review reject {number}."


def _of_comparison(page: dict[str, Any], name: str) -> Verdict:
    other = page["other"]["name"]
    if not page["against"]:
        return Verdict("warn", f"{name} can't be compared with {other}", page["other"]["missing"])
    row = page["against"]["rows"][0]
    words = {"better": "is better than", "worse": "is worse than"}
    compared = words.get(row["verdict"], "is not shown to differ from")
    interval = "" if row["low"] is None else f", 95 % interval {row['low']:+.4f} to {row['high']:+.4f}"
    reason = (
        f"NDCG@10 {row['ours']:.4f} instead of {row['theirs']:.4f}, difference "
        f"{row['difference']:+.4f}{interval}: {page['against']['measured']}."
    )
    return Verdict(_LEVELS.get(row["verdict"], "warn"), f"{name} {compared} {other}", [reason])


def tiles(page: dict[str, Any]) -> list[Tile]:
    """Return NDCG@10, its differences, hit rate and coverage."""
    figures = page["facts"]["figures"][SERVED]
    found = [_figure("NDCG@10", figures["ndcg_at_10"])]
    if page["against"]:
        found.append(_difference(f"against {page['other']['name']}", page["against"]["rows"][0]))
    found.append(_difference(f"against {page['baseline']['name']}", page["baseline"]["rows"][0]))
    coverage = figures["coverage_at_10"]["value"]
    return [
        *found,
        _figure("Hit rate@10", figures["hr_at_10"]),
        Tile("Coverage@10", f"{coverage:.0%}".replace("%", " %"), "of the catalog is recommended to someone"),
    ]


def _figure(name: str, figure: dict[str, float]) -> Tile:
    interval = (
        f"{figure['low']:.4f} to {figure['high']:.4f}" if "low" in figure else "too few users for an interval"
    )
    return Tile(name, f"{figure['value']:.4f}", interval)


def _difference(name: str, row: dict[str, Any]) -> Tile:
    interval = (
        "too few users for an interval" if row["low"] is None else f"{row['low']:+.4f} to {row['high']:+.4f}"
    )
    return Tile(f"NDCG@10 {name}", f"{row['difference']:+.4f}".replace("-", "−"), interval.replace("-", "−"))
