"""The past items that a reason rests on: without them the score of the explained item falls."""

from collections.abc import Iterable

from serving.ranking.explanations import Reason
from serving.release.catalog import Catalog


def named_items(reason: Reason, item: int, history: Iterable[int], catalog: Catalog) -> set[int]:
    """Return the items of the history that the sentence names by title or by category.

    Empty if the sentence rests on other users, on a search, or on the history as a whole.
    """
    match reason.feature:
        case "content":
            category = reason.sentence.removeprefix("more ")
            return {past for past in history if category in catalog.categories[past]}
        case "repeats":
            return {item} & set(history)
        case "transitions" | "item_cosine" | "ease" | "als" | "interest":
            titles = {past: catalog.titles[past] or catalog.item_ids[past] for past in history}
            named = [title for title in titles.values() if f" {title}" in reason.sentence]
            # A title can contain another one.
            longest = max(named, key=len, default="")
            return {past for past, title in titles.items() if title == longest}
    return set()
