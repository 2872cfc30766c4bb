"""Assembles the dossier of a version: what a reviewer needs to decide whether it goes live, JSON-ready."""

from dataclasses import asdict, dataclass
from typing import Any

from components.evaluate_release.data.held_out import SEED
from components.evaluate_release.dossier.attention import points
from components.evaluate_release.dossier.data_changes import data_changes
from components.evaluate_release.dossier.list_character import ListCharacter, list_character
from components.evaluate_release.dossier.paired_comparison import CORRECTION, PairedRow, adjust, compare
from components.evaluate_release.dossier.reference import Reference, as_baseline
from components.evaluate_release.dossier.stored_evaluation import StoredEvaluation
from components.evaluate_release.dossier.user_examples import examples
from components.metrics.accuracy import ndcg
from components.model_names import LABELS, POPULARITY, SERVED


@dataclass(frozen=True)
class Other:
    """The version that a version is compared with.

    Attributes:
        name: such as "live version 6".
        stored: its own evaluation; None if it can't be had.
        reference: its answers to queries of the version; None if there are none.
        serving: its serving cost; empty if unknown.
        by_turns: whether the serving costs of both were measured by turns in one run.
        missing: a sentence for each part that is not there.
    """

    version: int
    name: str
    stored: StoredEvaluation | None
    reference: Reference | None
    serving: dict[str, Any]
    by_turns: bool
    missing: list[str]


def contents(own: StoredEvaluation, other: Other | None) -> dict[str, Any]:
    """Compare a version with another one and with its best baseline.

    Args:
        other: None if there is none, as before the first release.
    """
    baseline = as_baseline(own.answers, own.facts["baseline"])
    reference = other.reference if other else None
    rows = adjust([_compare(own, baseline), _compare(own, reference) if reference else []])
    against_baseline, against_other = rows
    page = {
        "other": other and {"version": other.version, "name": other.name, "missing": other.missing},
        "facts": own.facts,
        "baseline": _comparison(baseline, against_baseline) | {"name": LABELS[own.facts["baseline"]].lower()},
        "by_model": _by_model(own),
        "against": _comparison(reference, against_other) if reference else None,
        "correction": CORRECTION,
        "lists": _lists(own, other),
        "data": data_changes(own, other.stored if other else None),
        "hyperparameters": _hyperparameters(own, other.stored if other else None),
        "lineage": {"after": own.facts["lineage"], "before": _facts(other, "lineage")},
        "serving": {
            "after": own.facts["serving"],
            "before": other.serving if other else {},
            "by_turns": bool(other and other.by_turns),
        },
        "examples": _examples(own, reference or baseline),
        "examples_against": other.name if other and reference else LABELS[own.facts["baseline"]].lower(),
    }
    return page | {"attention": [asdict(point) for point in points(page)]}


def _facts(other: Other | None, name: str) -> dict[str, Any]:
    return other.stored.facts[name] if other and other.stored else {}


def _compare(own: StoredEvaluation, reference: Reference) -> list[PairedRow]:
    positions = reference.positions
    ours = ndcg(own.answers.ranks[SERVED][positions], 10)
    slices = {
        dimension: {label: mask[positions] for label, mask in masks.items()}
        for dimension, masks in own.answers.slices.items()
    }
    return compare(ours, ndcg(reference.ranks, 10), own.answers.users[positions], slices, SEED)


def _comparison(reference: Reference, rows: list[PairedRow]) -> dict[str, Any]:
    extended = [asdict(row) | {"difference": row.difference, "verdict": row.verdict} for row in rows]
    return {"measured": reference.measured, "rows": extended}


def _by_model(own: StoredEvaluation) -> dict[str, dict[str, float]]:
    """Map "dimension: label" -> model -> NDCG@10; the key of all queries is ": all queries"."""
    gains = {model: ndcg(ranks, 10) for model, ranks in own.answers.ranks.items()}
    everything = {": all queries": {model: float(gain.mean()) for model, gain in gains.items()}}
    return everything | {
        f"{dimension}: {label}": {model: float(gain[mask].mean()) for model, gain in gains.items()}
        for dimension, masks in own.answers.slices.items()
        for label, mask in masks.items()
        if mask.any()
    }


def _lists(own: StoredEvaluation, other: Other | None) -> list[dict[str, Any]]:
    """Describe the lists of the version, the other version and the popularity on the same queries."""
    reference = other.reference if other else None
    chosen = {
        "this version": own.answers.items[SERVED],
        LABELS[POPULARITY].lower(): own.answers.items[POPULARITY],
    }
    if reference and other:
        chosen = {name: items[reference.positions] for name, items in chosen.items()}
        chosen = {"this version": chosen.pop("this version"), other.name: reference.items, **chosen}
    characters: dict[str, ListCharacter] = {
        name: list_character(items, own.items.interactions) for name, items in chosen.items()
    }
    return [{"name": name, **asdict(character)} for name, character in characters.items()]


def _hyperparameters(own: StoredEvaluation, other: StoredEvaluation | None) -> list[dict[str, Any]]:
    """Return name, value before and after, and whether it changed; the changed ones first."""
    after, before = own.facts["hyperparameters"], other.facts["hyperparameters"] if other else {}
    rows = [
        {
            "name": name,
            "before": before.get(name),
            "after": after.get(name),
            "changed": bool(before) and before.get(name) != after.get(name),
        }
        for name in sorted(set(after) | set(before))
    ]
    return sorted(rows, key=lambda row: (not row["changed"], row["name"]))


def _examples(own: StoredEvaluation, reference: Reference) -> dict[str, Any]:
    found = examples(own.answers, reference, SERVED, own.items, SEED)
    return {name: [asdict(example) for example in chosen] for name, chosen in found.items()}
