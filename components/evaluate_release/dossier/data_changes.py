"""What changed in the data between two versions: volume, users, items, mixes, and rows set aside."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from components.evaluate_release.dossier.items_table import ItemsTable
from components.evaluate_release.dossier.stored_evaluation import StoredEvaluation
from components.evaluate_release.drift.data_drift import LARGE, MODERATE, MixDrift, drift_of_mixes
from components.evaluate_release.report.result_files import utc


@dataclass(frozen=True)
class Volume:
    """A count in the older and in the newer data; `before` is None if the older data are not known."""

    name: str
    before: int | None
    after: int
    new: int | None = None  # in the newer data only
    gone: int | None = None  # in the older data only


def data_changes(own: StoredEvaluation, other: StoredEvaluation | None) -> dict[str, Any]:
    """Return the volumes, the drift of each mix, the windows, and the rows set aside, JSON-ready."""
    other_facts: dict[str, Any] = other.facts if other else {}
    after, before = own.facts["data"], other_facts.get("data")
    return {
        "volumes": [asdict(volume) for volume in _volumes(own, other)],
        "mixes": {name: asdict(drift) for name, drift in _mixes(own, other).items()} if other else {},
        "thresholds": {"moderate": MODERATE, "large": LARGE},
        "concentration": {
            "after": _concentration(after),
            "before": _concentration(before) if before else None,
        },
        "windows": {"after": _window(after), "before": _window(before) if before else None},
        "set_aside": {"after": own.facts["quarantine"], "before": other_facts.get("quarantine")},
        "validation": {"after": own.facts["validation"], "before": other_facts.get("validation")},
    }


def _window(data: dict[str, Any]) -> list[str]:
    return [utc(data["first"]), utc(data["last"])]


def _volumes(own: StoredEvaluation, other: StoredEvaluation | None) -> list[Volume]:
    after, before = own.facts["data"], other.facts["data"] if other else {}
    users: tuple[int | None, int | None] = (None, None)
    catalog = users
    if other:
        users = len(np.setdiff1d(own.users, other.users)), len(np.setdiff1d(other.users, own.users))
        catalog = _missing_in(other.items, own.items), _missing_in(own.items, other.items)
    return [
        Volume("interactions", before.get("interactions"), after["interactions"]),
        Volume("users", before.get("users"), after["users"], *users),
        Volume("items with an interaction", before.get("items"), after["items"]),
        Volume("items in the catalog", before.get("catalog"), after["catalog"], *catalog),
    ]


def _missing_in(table: ItemsTable, other: ItemsTable) -> int:
    """Return how many items of `other` are not in `table`."""
    return int(np.count_nonzero(table.rows_of(other)[:-1] < 0))


def _mixes(own: StoredEvaluation, other: StoredEvaluation) -> dict[str, MixDrift]:
    after, before = own.facts["data"], other.facts["data"]
    drifts = {
        "event types": drift_of_mixes(before["event_types"], after["event_types"]),
        "values": drift_of_mixes(before["values"], after["values"]),
        "categories": drift_of_mixes(before["categories"], after["categories"]),
        "popularity of items": drift_of_mixes(_popularity(other.items), _popularity(own.items)),
    }
    return {name: drift for name, drift in drifts.items() if drift is not None}


def _popularity(items: ItemsTable) -> dict[str, float]:
    """Return the number of interactions by item; the title and the id, since titles repeat."""
    rows = items.table.select(["title", "item_id", "interactions"]).to_pydict()
    names = map("{} [{}]".format, rows["title"], rows["item_id"])
    return dict(zip(names, map(float, rows["interactions"]), strict=True))


def _concentration(data: dict[str, Any]) -> dict[str, float]:
    shares = {
        f"share of the most popular {name} of the items": share for name, share in data["top_shares"].items()
    }
    return {**shares, "Gini coefficient of the interactions": data["gini"]}
