"""Of the answers to the same request of a user, only the last one counts, as in attribution.attribute."""

from collections import OrderedDict
from collections.abc import Callable, Iterable

from serving.exposures.exposure import Exposure


def last_answers(
    exposures: Iterable[Exposure], is_wanted: Callable[[Exposure], bool], limit: int
) -> list[Exposure]:
    """Return the newest `limit` wanted answers, oldest first, without those that were given again.

    Args:
        exposures: all of a window, wanted or not, oldest first: any answer replaces those before it.
    """
    found = OrderedDict[tuple[str, str], Exposure]()
    for exposure in exposures:
        key = exposure.user_id, exposure.request_id
        found.pop(key, None)
        if is_wanted(exposure):
            found[key] = exposure
        if len(found) > limit:
            found.popitem(last=False)
    return list(found.values())
