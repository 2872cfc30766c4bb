"""Renders a dossier as one self-contained HTML page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from components.evaluate_release.dossier.attention import SIGNIFICANT, is_underexposed
from components.evaluate_release.dossier.page_verdict import tiles, verdict
from components.html_pages.rendering import render_page
from components.model_names import LABELS, LIVE, SERVED

# Heading, key of a ServingCost, and decimals.
SERVING_ROWS: Final = (
    ("ranking ten items, p50 (ms)", "ranking_p50_ms", 2),
    ("ranking ten items, p99 (ms)", "ranking_p99_ms", 2),
    ("interest of a whole history, p50 (ms)", "model_p50_ms", 2),
    ("interest model on disk (MB)", "model_mb", 1),
    ("arrays on disk, held in memory (MB)", "arrays_mb", 1),
)
ORIGIN_ROWS: Final = (
    ("digest of the training set", "data"),
    ("commit", "code"),
    ("image", "image"),
    ("pipeline run", "pipeline_run"),
    ("MLflow run", "tracking_run"),
)
MAX_DECISIONS: Final = 20
# The plot of an interval ends here, in the units of its viewBox.
EDGE: Final = 80.0


def render(
    page: dict[str, Any],
    details: str = "",
    version: int | None = None,
    decisions: Sequence[Mapping[str, Any]] | None = None,
) -> str:
    """Return the page.

    Args:
        page: as contents.contents returns.
        details: an HTML fragment at the end, of this project's own making.
        version: the number of the version; None before it is registered.
        decisions: records of the review history, newest first, of which MAX_DECISIONS are shown; None if they
            are not known.
    """
    name = f"Version {version}" if version is not None else "The candidate"
    return render_page(
        Path(__file__).with_name("page_template.html"),
        page=page,
        this=name,
        title=name if page["facts"]["gate"] else f"{name} against {page['other']['name']}",
        verdict=verdict(page, version, name),
        tiles=tiles(page),
        details=Markup(details),
        decisions=decisions if decisions is None else decisions[:MAX_DECISIONS],
        labels=LABELS,
        other_models=[
            model
            for model in page["by_model"][": all queries"]
            if model not in (SERVED, LIVE) and LABELS[model].lower() != page["baseline"]["name"]
        ],
        reasons=_reasons(page["data"]["set_aside"]),
        serving_rows=SERVING_ROWS,
        origin_rows=ORIGIN_ROWS,
        by_dimension=_by_dimension,
        significant=SIGNIFICANT,
        is_underexposed=is_underexposed,
        scale_of=_scale,
        clip=lambda position: round(min(max(position, -EDGE), EDGE), 1),
    )


def _by_dimension(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["dimension"], []).append(row)
    return groups


def _scale(rows: list[dict[str, Any]]) -> float:
    """Return the difference at the ends of the plots: that which nine of ten intervals do not exceed."""
    bounds = sorted(max(abs(row["low"]), abs(row["high"])) for row in rows if row["low"] is not None)
    return float(bounds[int(0.9 * (len(bounds) - 1))] or 1e-4) if bounds else 1.0


def _reasons(set_aside: Mapping[str, Any]) -> list[str]:
    """Return all rules, those that set aside the most rows now first."""
    now = set_aside["after"]
    names = {**now, **(set_aside["before"] or {})}
    return sorted(names, key=lambda name: (-now.get(name, 0), name))
