"""A release with obvious answers: items of two categories, comedy and horror, and a fake interest model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array

from feature_repo.attributes import Attributes
from feature_repo.contract import FORECAST_STEPS
from feature_repo.histories import History
from feature_repo.interest_state import InterestBatch, InterestState
from feature_repo.table_schemas import ITEMS
from serving.errors import Unavailable
from serving.interest.user_interest import UserInterest
from serving.ranking.blend_features import FEATURES
from serving.release.collaborative_filters import CollaborativeFilters
from serving.release.exposure_offsets import ExposureOffsets
from serving.release.ranking_data import write_ranking
from serving.release.user_segments import Segment, Segments
from serving.user_history import UserHistory

CATEGORIES = ("Comedy", "Horror")
ITEMS_PER_CATEGORY = 20
COUNT = len(CATEGORIES) * ITEMS_PER_CATEGORY

# The first items of each category are films, the others books.
FILMS = 12


def item_id(category: str, number: int) -> str:
    return f"{category.lower()}-{number}"


def items() -> pa.Table:
    rows = [
        {
            "item_id": item_id(category, number),
            "title": f"{category} {number}",
            "categories": [category],
            "domain": "films" if number < FILMS else "books",
            "available_from": None,
            "available_until": None,
        }
        for category in CATEGORIES
        for number in range(ITEMS_PER_CATEGORY)
    ]
    return pa.Table.from_pylist(rows, schema=ITEMS)


def item_embeddings() -> NDArray[np.float32]:
    """Return [items, 3]: one dimension per category, then the bias, which falls with the number."""
    embeddings = np.zeros((COUNT, 3), np.float32)
    for item in range(COUNT):
        embeddings[item, item // ITEMS_PER_CATEGORY] = 1.0
        embeddings[item, 2] = -0.01 * (item % ITEMS_PER_CATEGORY)
    return embeddings


def filters() -> CollaborativeFilters:
    """Return filters: items of a category are similar, number n + 1 follows n, low numbers are popular."""
    same = np.kron(np.eye(len(CATEGORIES)), np.ones((ITEMS_PER_CATEGORY, ITEMS_PER_CATEGORY)))
    np.fill_diagonal(same, 0)
    following = same * 0.02 + np.diag(np.ones(COUNT - 1), 1) * same * 0.5
    users = np.kron(np.eye(len(CATEGORIES)), np.ones((3, ITEMS_PER_CATEGORY)))
    popularity = np.tile(np.arange(ITEMS_PER_CATEGORY, 0, -1), len(CATEGORIES)).astype(np.float32)
    return CollaborativeFilters(
        transitions=csr_array(following.astype(np.float32)),
        item_cosine=csr_array((same * 0.5).astype(np.float32)),
        user_items=csr_array(users.astype(np.float32)),
        popularity=popularity,
        trend=popularity[::-1].copy(),
        segments=segments(),
    )


def segments() -> Segments:
    """Return segments: women choose comedies and young users horror, low numbers more often."""
    trend = np.zeros((2, COUNT), np.float32)
    trend[0, :ITEMS_PER_CATEGORY] = np.arange(ITEMS_PER_CATEGORY, 0, -1) * 10
    trend[1, ITEMS_PER_CATEGORY:] = np.arange(ITEMS_PER_CATEGORY, 0, -1) * 10
    mass = float(trend[0].sum())
    named = [Segment("gender", mass, 20.0, value="F"), Segment("age", mass, 20.0, high=25.0)]
    return Segments(named, csr_array(trend))


def write_release(
    root: Path,
    version: int,
    titles: str = "",
    exposure_offsets: ExposureOffsets | None = None,
    **manifest_entries: Any,
) -> None:
    """Write release `version` below `root`; `titles` is appended to each title."""
    table = items()
    renamed = [f"{title}{titles}" for title in table.column("title").to_pylist()]
    table = table.set_column(1, ITEMS.field("title"), pa.array(renamed))
    (root / "interest" / str(version)).mkdir(parents=True)
    weights = {"interest": 1.0, "transitions": 0.5, "item_cosine": 0.5}
    blend: dict[str, Any] = {"features": list(FEATURES)}
    blend["weights"] = [weights.get(feature, 0.1) for feature in FEATURES]
    if exposure_offsets:
        blend["exposure_offsets"] = exposure_offsets.to_json()
    directory = root / "ranking" / str(version)
    model = root / "interest" / str(version)
    (model / "saved_model.pb").write_bytes(b"graph")
    write_ranking(directory, table, item_embeddings(), filters(), blend, model, **manifest_entries)


class FakeInterestModel:
    """Returns the recency-weighted mean of the history's item embeddings."""

    def __init__(self, *versions: int) -> None:
        self.versions, self.down, self.calls = list(versions), False, list[int | None]()
        self._vectors = dict(zip(items().column("item_id").to_pylist(), item_embeddings(), strict=True))

    async def interest(
        self, histories: Sequence[History], version: int | None, timeout_s: float, users: Sequence[Attributes]
    ) -> NDArray[np.float32]:
        if self.down or version not in self.versions:
            raise Unavailable("model server down")
        self.calls.append(version)
        return np.stack([self.mean(history) for history in histories])

    async def advance(
        self, interests: InterestBatch, histories: Sequence[History], version: int | None, timeout_s: float
    ) -> NDArray[np.float32]:
        raise NotImplementedError

    async def forecast(
        self,
        history: History,
        user: Attributes,
        version: int | None,
        timeout_s: float,
        state: InterestState | None,
    ) -> NDArray[np.float32]:
        """Return the interest, and the same with the categories exchanged at every other step."""
        now = (await self.interest([history], version, timeout_s, [user]))[0]
        return np.stack([now[[1, 0, 2]] if step % 2 else now for step in range(FORECAST_STEPS)])

    async def close(self) -> None:
        self.down = True

    def mean(self, history: History) -> NDArray[np.float32]:
        vectors = [self._vectors[item] for item in history.item_ids if item in self._vectors]
        weights = 0.5 ** np.arange(len(vectors))[::-1]
        mean = np.average(vectors, axis=0, weights=weights) if vectors else np.zeros(3)
        return np.asarray([*mean[:2], 1.0], np.float32)


async def interest_after(
    interests: UserInterest, user: UserHistory, release_version: int
) -> NDArray[np.float32]:
    """Return the interest as an answer gets it: cached, or computed by the model."""
    interest = interests.cached(user, release_version)
    return await interests.compute(user, release_version, 10.0) if interest is None else interest


class FakeVersions:
    """Reports the versions of a fake model as a model server does."""

    def __init__(self, model: FakeInterestModel) -> None:
        self._model = model

    def available_versions(self, timeout_s: float) -> list[int]:
        if self._model.down:
            raise Unavailable("model server down")
        return self._model.versions

    def close(self) -> None: ...
