"""A candidate measured: its blend fitted on the validation part, the test part asked of it and its rivals."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.evaluate_release.blend.blend_fit import MAX_QUERIES, fit_blend
from components.evaluate_release.data.held_out import SEED, HeldOut
from components.evaluate_release.data.queries import Queries
from components.evaluate_release.data.ranked_queries import RankedQueries
from components.evaluate_release.drift.drift_study import study
from components.evaluate_release.metrics import slices
from components.evaluate_release.metrics.accuracy import ndcg
from components.evaluate_release.metrics.metric_calculator import HEADLINE, Figure, MetricCalculator
from components.evaluate_release.metrics.slices import Slice
from components.evaluate_release.model_names import LIVE, SERVED
from components.evaluate_release.models import baselines, live_version
from components.evaluate_release.models.full_ranking import rank_all
from components.evaluate_release.models.served_ranking import ServedRanking
from components.evaluate_release.release_gate import judge
from components.evaluate_release.report.results import EvaluationResults
from components.progress import report
from components.saved_model import SavedInterestModel
from serving.release.arrays import FloatArray
from serving.release.ranking_data import Ranking


def measure(
    ranking: Ranking, saved_model: Path, held: HeldOut, protocol: str, releases: str
) -> EvaluationResults:
    """Fit the blend on the validation part, then measure every model on the test part."""
    report(
        f"protocol {protocol}: {len(held.validation)} validation and {len(held.test)} test queries, "
        f"{len(ranking.catalog)} items"
    )
    fitting = sample(held.validation, MAX_QUERIES)
    with timed("interest vectors"), SavedInterestModel(saved_model) as model:
        validation, test = (model.interest(part.histories, part.attributes) for part in (fitting, held.test))
    with timed(f"blend fitted on {len(fitting)} validation queries"):
        examples = ServedRanking(ranking, fitting, validation).examples()
        blend = fit_blend(examples.features, examples.targets)
    with timed("test part ranked by every model"):
        candidate = replace(ranking, blend=blend)
        served = ServedRanking(candidate, held.test, test, held.profiles).answers()
        models = {SERVED: served, **alone(ranking, held.test, test)}
        beside = live_version.compare(releases, protocol, held, served)
    with timed("figures and intervals"):
        rival = max(("popularity", "transitions"), key=lambda name: ndcg(models[name].ranks, 10).mean())
        figures = _figures(ranking, held, models, rival)
        if beside and beside.answered is not None:
            figures[LIVE] = _figures_of_live(ranking, held, models, rival, beside)
        cuts = _slices(ranking, held, models)
    with timed("drift"):
        drift = study(candidate, saved_model, held)
    ours, popular = (figures[name][HEADLINE].value for name in (SERVED, "popularity"))
    results = EvaluationResults(
        protocol=protocol,
        seed=SEED,
        learned_until=held.learned_until,
        catalog=ranking.catalog,
        validation=held.validation,
        test=held.test,
        models=models,
        figures=figures,
        rival=rival,
        slices=cuts,
        drift=drift,
        blend=blend,
        keep_seen=held.keep_seen,
        live=beside,
        verdict=judge(ours, popular, beside.comparison if beside else None),
    )
    _tell(results)
    return results


def alone(ranking: Ranking, queries: Queries, interest: NDArray[np.float32]) -> dict[str, RankedQueries]:
    """The parts of the served ranking, each by itself over all items."""

    def logits(part: slice) -> FloatArray:
        return interest[part] @ ranking.item_embeddings.T

    return {
        "interest": rank_all(logits, queries, len(ranking.catalog)),
        "transitions": baselines.transitions(queries, ranking.filters.transitions),
        "popularity": baselines.popularity(queries, ranking.filters.popularity),
    }


def _tell(results: EvaluationResults) -> None:
    for name, figures in results.figures.items():
        ndcg_at_10, hr_at_10 = figures["ndcg_at_10"], figures["hr_at_10"]
        interval = f"({ndcg_at_10.low:.4f} to {ndcg_at_10.high:.4f})"
        report(f"{name}: NDCG@10 {ndcg_at_10.value:.4f} {interval}, HR@10 {hr_at_10.value:.4f}")
    report(
        f"{results.counts['test_targets_seen_before']} test targets had been seen before and "
        f"{results.counts['test_targets_no_candidate']} more were no candidate: both count as misses"
    )
    report(f"{results.verdict.verdict}: {results.verdict.reason}")


def sample(queries: Queries, limit: int) -> Queries:
    """At most `limit` of the queries, drawn with the seed."""
    chosen = np.random.default_rng(SEED).permutation(len(queries))[:limit]
    return queries.select(np.isin(np.arange(len(queries)), chosen))


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Report how long it took."""
    start = time.monotonic()
    yield
    report(f"{what}: {time.monotonic() - start:.1f} s")


def _figures(
    ranking: Ranking, held: HeldOut, models: dict[str, RankedQueries], rival: str
) -> dict[str, dict[str, Figure]]:
    scorecard = MetricCalculator(held.test, ranking.catalog, ranking.filters.popularity, SEED)
    popular, against = models["popularity"], models[rival]
    return {name: scorecard.measure(answered, popular, against) for name, answered in models.items()}


def _figures_of_live(
    ranking: Ranking,
    held: HeldOut,
    models: dict[str, RankedQueries],
    rival: str,
    beside: live_version.LiveVersion,
) -> dict[str, Figure]:
    """On the queries that are new to it; its items are translated into this catalog's indexes."""
    assert beside.answered is not None
    assert beside.fresh is not None
    scorecard = MetricCalculator(
        held.test.select(beside.fresh), ranking.catalog, ranking.filters.popularity, SEED
    )
    popular, against = (models[name].select(beside.fresh) for name in ("popularity", rival))
    return scorecard.measure(beside.answered, popular, against)


def _slices(ranking: Ranking, held: HeldOut, models: dict[str, RankedQueries]) -> list[Slice]:
    first = slices.first_interactions(held.training_set, held.index, ranking.catalog.available_from)
    cuts = slices.cut(
        held.test, ranking.catalog, ranking.filters.popularity, first, held.trained_users, held.users
    )
    return slices.measure(cuts, models, held.test.users, SEED)
