"""How many reasons are faithful: without the past items that a reason names, the item's score falls.

python -m tests.faithful_reasons [movielens-100k] [--split validation|test] [--queries 500] [--home DIR]

It trains as a nightly run does, answers held-out queries, takes the items that each reason names out of the
history, and scores the answered item again with the whole release, the interest model included. The second
figure is stricter: whether the item's odds against all other candidates fall.
"""

import argparse
import json
import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from components.evaluate_release.data.held_out import HeldOut
from components.evaluate_release.data.queries import Queries
from feature_repo.histories import History
from serving.ranking.explanations import Reason
from serving.ranking.indexed_user import IndexedUser
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.request import Request
from serving.ranking.rules import Rules
from serving.release.arrays import FloatArray, Indexes
from serving.user_history import UserHistory
from tests.named_items import named_items

K: Final = 10


@dataclass(frozen=True, eq=False)
class Explained:
    """One answered item with its reason, and its score."""

    query: int
    reason: Reason
    candidates: Indexes
    position: int  # of the item among the candidates
    score: float
    log_odds: float  # against the other candidates
    without: History | None  # the history without the past items that the reason names; None if it names none


@dataclass(frozen=True, eq=False)
class World:
    """A release, and the queries that it answers."""

    release: LoadedRelease
    queries: Queries

    def user(self, position: int, history: History) -> IndexedUser:
        """Return a query's user with another history."""
        before, item_ids = self.queries.disliked_before, self.release.ranking.catalog.item_ids
        disliked = [item_ids[item] for item in before[position]] if before else ()
        return self.release.index(UserHistory(history, disliked_before=disliked))

    def explained(self, position: int, interest: FloatArray) -> Iterator[Explained]:
        """Yield the items of one answer; none where no interaction of the history counts."""
        release, history, item_ids = (
            self.release,
            self.queries.histories[position],
            self.release.ranking.catalog.item_ids,
        )
        user = self.user(position, history)
        if user.is_cold:
            return
        query = user.query(interest)
        rules = Rules(
            int(self.queries.cutoffs[position]), excluded=self.queries.seen[position], disliked=user.disliked
        )
        candidates = release.item_filter.select(rules, release.retriever.retrieve(query), K)
        ranked = release.rank(query, candidates, Request("", k=K))
        reasons = release.explainer.reasons(
            query, user.event_types, ranked.items, ranked.contributions_over_mean, True
        )
        scores = release.reranker.scores(query, candidates.items)
        for item, reason in zip(ranked.items.tolist(), reasons, strict=True):
            at = int(np.flatnonzero(candidates.items == item)[0])
            named = named_items(reason, item, query.history.tolist(), release.ranking.catalog)
            without = _without(history, {item_ids[past] for past in named}) if named else None
            yield Explained(
                position, reason, candidates.items, at, float(scores[at]), _log_odds(scores, at), without
            )

    def falls(self, each: Explained, without: History, interest: FloatArray) -> tuple[bool, bool]:
        """Return whether the score and the odds of an item are lower without what its reason names."""
        scores = self.release.reranker.scores(self.user(each.query, without).query(interest), each.candidates)
        return bool(scores[each.position] < each.score), _log_odds(scores, each.position) < each.log_odds


def _log_odds(scores: FloatArray, at: int) -> float:
    others = np.delete(scores, at)
    return float(scores[at] - others.max() - np.log(np.exp(others - others.max()).sum()))


def _without(history: History, item_ids: set[str]) -> History:
    kept = [position for position, item in enumerate(history.item_ids) if item not in item_ids]
    return History(
        [history.interaction_ids[position] for position in kept],
        [history.item_ids[position] for position in kept],
        [history.event_types[position] for position in kept],
        [history.values[position] for position in kept],
        [history.timestamps[position] for position in kept],
    )


def trained(home: Path, dataset: str) -> None:
    """Train and evaluate in `home`, as a nightly run does; what is there already is used again."""
    from pipelines.benchmark import steps
    from pipelines.benchmark.plan import make_plan

    plan = make_plan(dataset, None, None, 0, "time", False, {}, {})
    done = {"spine.parquet": steps.prepare, "filters": steps.filters}
    for output, step in done.items():
        if not (home / output).exists():
            (home / "warehouse").mkdir(parents=True, exist_ok=True)
            step(home, plan)
    for output, of_seed in {"interest-0": steps.train, "evaluation-0": steps.evaluate}.items():
        if not (home / output).exists():
            of_seed(home, plan, 0)


def opened(home: Path, split: str, count: int) -> World:
    """Open what `trained` left, with a sample of the held-out queries."""
    from components.evaluate_release.evaluation import assemble
    from components.evaluate_release.measurement import sample
    from feature_repo.contract import FEEDBACK
    from feature_repo.feedback import FeedbackPolicy

    ranking = assemble(home / "interest-0", home / "filters", home / "core" / "items.parquet")
    blend = json.loads((home / "evaluation-0" / "blend.json").read_text())
    policy = FeedbackPolicy.read(home / FEEDBACK)
    held_out = HeldOut.read(home / "training_set.parquet", ranking.catalog, policy)
    queries = sample({"validation": held_out.validation, "test": held_out.test}[split], count)
    return World(LoadedRelease(replace(ranking, blend=blend)), queries)


def measure(world: World, saved_model: Path) -> dict[str, FloatArray]:
    """Return kind of reason -> [reasons, 3]: whether it names past items, the score falls, the odds fall."""
    from components.saved_model import SavedInterestModel

    rows: dict[str, list[tuple[bool, bool, bool]]] = defaultdict(list)
    queries = world.queries
    with SavedInterestModel(saved_model) as model:
        interest = model.interest(queries.histories, queries.attributes or None)
        every = [
            each for position, vector in enumerate(interest) for each in world.explained(position, vector)
        ]
        named = [(each, each.without) for each in every if each.without]
        attributes = [queries.attributes[each.query] for each, _ in named] if queries.attributes else None
        interests = model.interest([without for _, without in named], attributes)
    falls = {
        id(each): world.falls(each, without, interest)
        for (each, without), interest in zip(named, interests, strict=True)
    }
    for each in every:
        row = (True, *falls[id(each)]) if id(each) in falls else (False, False, False)
        rows[each.reason.feature or each.reason.sentence].append(row)
    return {kind: np.array(each, np.float32) for kind, each in rows.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("dataset", nargs="?", default="movielens-100k")
    parser.add_argument("--split", choices=("validation", "test"), default="test")
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--home", type=Path, help="folder of the trained release; used again when it exists")
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with nullcontext(arguments.home) if arguments.home else TemporaryDirectory() as folder:
        home = Path(folder)
        trained(home, arguments.dataset)
        world = opened(home, arguments.split, arguments.queries)
        kinds = measure(world, home / "interest-0" / "saved_model")
    kinds["all"] = np.concatenate(list(kinds.values()))
    for kind, rows in sorted(kinds.items(), key=lambda pair: len(pair[1])):
        named, score_falls, odds_fall = rows.sum(axis=0)
        faithful = (
            f"{score_falls / named:.1%} score falls, {odds_fall / named:.1%} odds fall" if named else ""
        )
        print(f"{kind}: {len(rows):,} reasons, {named:,.0f} name past items: {faithful}")


if __name__ == "__main__":
    main()
