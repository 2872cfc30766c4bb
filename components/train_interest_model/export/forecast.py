"""A user's future interests: the served model rolled forward over the items it expects next."""

import numpy as np

from components.saved_model import ServedModel
from feature_repo import attributes
from feature_repo.attributes import Attributes
from feature_repo.histories import History, encode
from serving.release.arrays import FloatArray


def future_interests(
    served: ServedModel,
    history: History,
    item_ids: list[str],
    item_embeddings: FloatArray,
    steps: int,
    user: Attributes | None = None,
) -> tuple[FloatArray, list[str]]:
    """The interest now and after each item that it would bring, were that item taken.

    Each step takes the best item not yet in the history, a typical gap after the last one.

    Args:
        item_ids, item_embeddings: [items] and [items, size] of the release.

    Returns:
        [steps + 1, size] interests, the first one of now; and the `steps` items between them.
    """
    index = {item_id: place for place, item_id in enumerate(item_ids)}
    taken = [index[item_id] for item_id in history.item_ids if item_id in index]
    gap = int(np.median(np.diff(history.timestamps))) if len(history) > 1 else 0
    known = attributes.encode([user or Attributes()])
    answer = served.run("serving_default", encode([history]) | known)
    interests, path = [answer["interest"][0]], []
    for _ in range(min(steps, len(item_ids) - len(set(taken)))):
        scores = item_embeddings @ interests[-1]
        scores[taken] = -np.inf
        taken.append(int(scores.argmax()))
        path.append(item_ids[taken[-1]])
        following = _one(path[-1], history, int(answer["as_of"][0, 0]) + gap)
        state = {"state": answer["state"], "as_of": answer["as_of"]}
        answer = served.run("advance", {**state, **encode([following])})
        interests.append(answer["interest"][0])
    return np.stack(interests), path


def _one(item_id: str, history: History, timestamp: int) -> History:
    """`item_id` alone, as the interactions of `history` were."""
    event_type, value = (history.event_types[-1], history.values[-1]) if len(history) else ("", float("nan"))
    return History([""], [item_id], [event_type], [value], [timestamp])
