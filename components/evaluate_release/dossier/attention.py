"""What a reviewer should look at first."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

# A release that is this much slower or larger than the live one, or covers this much less, is mentioned.
SLOWER: Final = 1.25
COVERS_LESS: Final = 0.8
# Fewer interactions than this share of those before, or a larger share of rows set aside, is mentioned.
SHRUNK: Final = 0.95
SET_ASIDE: Final = 0.01
# Less exposure than this share of a provider's relevance is mentioned: the four-fifths rule (29 CFR 1607.4).
UNDEREXPOSED: Final = 0.8
SIGNIFICANT: Final = 0.05
NAMED: Final = 3


@dataclass(frozen=True)
class Point:
    """`level`: "bad" is a significant loss, "warn" something to explain, "info" something to know."""

    level: Literal["bad", "warn", "good", "info"]
    text: str


def points(page: dict[str, Any]) -> list[Point]:
    """Return the points of a dossier, the worst first; `page`: as contents.contents builds it."""
    found = [*_slices(page), *_fairness(page), *_lists(page), *_data(page), *_serving(page), *_changes(page)]
    return sorted(found, key=lambda point: ("bad", "warn", "good", "info").index(point.level))


def is_underexposed(provider: Mapping[str, Any]) -> bool:
    """Return whether the whole interval of a provider's exposure / relevance is below UNDEREXPOSED."""
    return provider["high"] is not None and provider["high"] < UNDEREXPOSED


def _slices(page: dict[str, Any]) -> Iterator[Point]:
    compared = {page["baseline"]["name"]: page["baseline"]}
    if page["against"]:
        compared = {page["other"]["name"]: page["against"]} | compared
    for name, comparison in compared.items():
        rows = [row for row in comparison["rows"] if row["verdict"] == "worse"]
        if not rows:
            tested = sum(row["p_value"] is not None for row in comparison["rows"])
            if tested:
                yield Point("good", f"Not significantly worse than {name} in any of {tested} tests.")
            continue
        slices = [f"{row['dimension']} {row['label']}".strip() for row in rows]
        rest = f" and {len(slices) - NAMED} more" if len(slices) > NAMED else ""
        yield Point("bad", f"Significantly worse than {name}: {'; '.join(slices[:NAMED])}{rest}.")


def _fairness(page: dict[str, Any]) -> Iterator[Point]:
    fairness = page["facts"].get("fairness") or {"gaps": [], "providers": []}
    for gap in fairness["gaps"]:
        if gap["p_value"] < SIGNIFICANT:
            yield Point(
                "warn",
                f"{gap['metric']} differs by {gap['attribute']}: {gap['best_value']:.4f} with {gap['best']}, "
                f"{gap['worst_value']:.4f} with {gap['worst']}.",
            )
    under = [row["provider"] for row in fairness["providers"] if is_underexposed(row)]
    if under:
        rest = f" and {len(under) - NAMED} more" if len(under) > NAMED else ""
        yield Point(
            "warn", f"Shown less than users choose them: the items of {', '.join(under[:NAMED])}{rest}."
        )


def _lists(page: dict[str, Any]) -> Iterator[Point]:
    if not page["against"]:
        return
    ours, theirs = page["lists"][:2]
    if ours["coverage"] < COVERS_LESS * theirs["coverage"]:
        yield Point(
            "warn",
            f"Recommends {ours['coverage']:.1%} of the catalog, {page['other']['name']} "
            f"{theirs['coverage']:.1%}.",
        )


def _data(page: dict[str, Any]) -> Iterator[Point]:
    data = page["data"]
    for name, drift in data["mixes"].items():
        if drift["level"] != "small":
            yield Point(
                "warn",
                f"The data changed: {drift['level']} drift of the {name} (Jensen-Shannon distance "
                f"{drift['distance']:.3f}).",
            )
    for volume in data["volumes"]:
        before, after = volume["before"], volume["after"]
        if before and after < SHRUNK * before:
            yield Point("warn", f"Fewer {volume['name']}: {after:,} instead of {before:,}.")
    rows, aside = (
        data["validation"]["after"].get("rows"),
        data["validation"]["after"].get("quarantined_rows", 0),
    )
    if rows and aside > SET_ASIDE * rows:
        yield Point("warn", f"{aside / rows:.1%} of the rows were set aside by the validation.")


def _serving(page: dict[str, Any]) -> Iterator[Point]:
    before, after = page["serving"]["before"], page["serving"]["after"]
    for name, label in (
        ("ranking_p50_ms", "ranking (p50)"),
        ("model_p50_ms", "the interest model (p50)"),
        ("model_mb", "the interest model's size"),
        ("arrays_mb", "the arrays' size"),
    ):
        unit = "ms" if name.endswith("_ms") else "MB"
        comparable = page["serving"]["by_turns"] or unit == "MB"
        if before and comparable and after[name] > SLOWER * before[name]:
            yield Point(
                "warn",
                f"Dearer to serve: {label} {after[name]:.2f} {unit} instead of {before[name]:.2f} {unit}.",
            )


def _changes(page: dict[str, Any]) -> Iterator[Point]:
    yield from (Point("warn", f"{note}.") for note in page["facts"]["notes"])
    if changed := [row["name"] for row in page["hyperparameters"] if row["changed"]]:
        yield Point("info", f"Changed hyperparameters: {', '.join(changed)}.")
    code = {when: lineage.get("code", "") for when, lineage in page["lineage"].items()}
    if code["before"] and code["before"] != code["after"]:
        yield Point("info", "Trained with other code.")
    if code["after"].endswith("-dirty"):
        yield Point("info", "The code has changes that are not committed.")
    if page["other"]:
        yield from (Point("info", sentence) for sentence in page["other"]["missing"])
