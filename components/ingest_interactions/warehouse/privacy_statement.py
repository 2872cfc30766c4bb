"""What `privacy.json` beside a drawn file says of it, and what follows for a model of a warehouse."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from components.errors import StepError
from components.ingest_interactions.warehouse.parts import Watermarks
from feature_repo.filesystems import open_binary

FILE: Final = "privacy.json"
# NDCG@10 of real users' last choices, by transitions and by popularity of the drawn data, and its noise.
POINT: Final = ("epsilon", "ndcg_at_10", "popularity", "noise", "users")


def statement_beside(url: str, digest: str) -> dict[str, Any]:
    """Return ε, δ and the curve of a file that `penchant data private` drew; {} for any other file.

    The curve has ε and the accuracy of each file that was drawn of the same users until then.

    Nothing is asked of a web server, which may answer with a page instead.

    Args:
        url: a path or an fsspec URL.
        digest: the sha256 of the file, so that a changed file is another one.

    Raises:
        StepError: it states figures that cannot be, so that nothing would bound what a model has learned.
    """
    if url.startswith(("http://", "https://")):
        return {}
    name = url.rpartition("/")[2]
    place = url.removesuffix(name) + FILE
    try:
        with open_binary(place) as file:
            about = json.load(file)
        if about["sha256"] != digest:
            return {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    try:
        return _checked(about)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StepError(
            f"{place} states figures of {name} that can't be ({error}): put back what `penchant data "
            "private` wrote, or delete this file if the interactions are to count as real ones"
        ) from error


def _checked(about: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a statement says; raise ValueError for a figure out of its range."""
    from components.private_data.gaussian_privacy import mu_of  # 2 CPU seconds

    stated = {name: float(about[name]) for name in ("epsilon", "delta")}
    mu_of(**stated)
    curve = [{name: float(point[name]) for name in POINT} for point in about.get("curve", [])]
    for name, value in ((name, value) for point in curve for name, value in point.items()):
        if not 0 <= value < math.inf:
            raise ValueError(f"expected a number from 0 on for {name} in the curve, got {value:g}")
    return stated | {"curve": curve}


def privacy_of(watermarks: Watermarks) -> dict[str, Any]:
    """Return ε and δ of all that a model of this warehouse may have learned from users; {} without a bound.

    Those of several drawn files are composed; the curve is that of the last one. What was replaced or
    withdrawn may be in a model's first weights.
    """
    parts = [part for part in watermarks.parts if part.table != "items"]
    is_whole = not (watermarks.withdrawn or watermarks.retractions or any(part.since for part in parts))
    if not (parts and is_whole and all(part.privacy for part in parts)):
        return {}
    return parts[-1].privacy | _together([part.privacy for part in parts])


def _together(statements: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return ε and δ of several files together."""
    delta = max(each["delta"] for each in statements)
    if len(statements) == 1:
        return {"epsilon": statements[0]["epsilon"], "delta": delta}
    from components.private_data.gaussian_privacy import composed, epsilon_of, mu_of  # 2 CPU seconds

    mus = (mu_of(each["epsilon"], each["delta"]) for each in statements)
    return {"epsilon": epsilon_of(composed(mus), delta), "delta": delta}
