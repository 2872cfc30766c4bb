"""Measures a candidate: fits its blend on the validation queries, and compares models on the test queries."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.evaluate_online.candidate_estimates import CandidateEvaluation
from components.evaluate_online.explored_answers import ExploredAnswers
from components.evaluate_online.off_policy import NoSupport
from components.evaluate_release.blend.ablation import ablate
from components.evaluate_release.blend.blend_fit import MAX_QUERIES, fit_blend
from components.evaluate_release.data.held_out import SEED, HeldOut
from components.evaluate_release.data.queries import Queries
from components.evaluate_release.drift.drift_study import measure_drift
from components.evaluate_release.exposure_balance import measure_balance, with_offsets
from components.evaluate_release.metrics import slices
from components.evaluate_release.metrics.forecast_accuracy import measure_forecast
from components.evaluate_release.metrics.metric_calculator import HEADLINE, Figure, MetricCalculator
from components.evaluate_release.models import baselines, live_version
from components.evaluate_release.models.full_ranking import rank_all
from components.evaluate_release.models.served_ranking import ServedRanking
from components.evaluate_release.release_gate import Evidence, NoClicks, decide
from components.evaluate_release.report.notes import notes
from components.evaluate_release.report.results import EvaluationResults
from components.fairness_policy import NO_LIMITS, FairnessPolicy
from components.metrics.accuracy import ndcg
from components.metrics.attribute_slices import Masks
from components.metrics.bootstrap import difference_interval
from components.metrics.fairness import Fairness, measure_fairness
from components.metrics.providers import Providers
from components.metrics.ranked_queries import RankedQueries
from components.model_names import INTEREST, LABELS, LIVE, POPULARITY, SERVED, TRANSITIONS
from components.progress import report
from components.saved_model import SavedInterestModel
from serving.release.arrays import FloatArray
from serving.release.ranking_data import Ranking

Metrics = dict[str, Figure]  # name of a metric -> its figure


def measure(
    ranking: Ranking,
    saved_model: Path,
    held_out: HeldOut,
    protocol: str,
    releases: str,
    policy: str,
    explored: ExploredAnswers | None = None,
    fairness: FairnessPolicy = NO_LIMITS,
    providers: Providers | None = None,
) -> EvaluationResults:
    """Fit the blend on the validation queries, then measure every model on the test queries.

    Args:
        explored: answers of the live version, to estimate the candidate's clicks; None for none.
        fairness: the limits of the release gate.
        providers: of the catalog's items; None to measure none.
    """
    report(
        f"protocol {protocol}: {len(held_out.validation):,} validation queries, "
        f"{len(held_out.test):,} test queries, {len(ranking.catalog):,} items"
    )
    candidate, interest, ablation = _fit(ranking, saved_model, held_out, explored, fairness, providers)
    ranked, models, baseline = _rank(candidate, interest, held_out)
    with timed("computed metrics and intervals"):
        metrics = _metrics(ranking, held_out, models, baseline)
        live = live_version.compare(releases, protocol, held_out, models[SERVED], metrics[SERVED][HEADLINE])
        if live and live.answers is not None:
            metrics[LIVE] = _live_metrics(ranking, held_out, models, baseline, live)
        masks = _slice_masks(ranking, held_out)
        measured_slices = slices.measure(masks, models, held_out.test.users, SEED)
        measured_fairness = _fairness(ranked, models[SERVED], held_out.test, masks, providers, fairness)
    with timed("measured interest drift"):
        drift = measure_drift(candidate, saved_model, held_out)
    with timed("measured the forecast of interests"), SavedInterestModel(saved_model) as model:
        forecast = measure_forecast(model, ranking.item_embeddings, held_out.test, SEED)
    clicks = _clicks(explored, candidate, saved_model, held_out, live)
    comparison = live.comparison if live else None
    evidence = _evidence(held_out.test, models, baseline)
    of_clicks = clicks.as_evidence() if isinstance(clicks, CandidateEvaluation) else clicks
    violations = fairness.violations(measured_fairness)
    results = EvaluationResults(
        protocol=protocol,
        seed=SEED,
        learned_until=held_out.learned_until,
        catalog=ranking.catalog,
        validation=held_out.validation,
        test=held_out.test,
        models=models,
        metrics=metrics,
        baseline=baseline,
        slices=measured_slices,
        slice_masks=masks,
        fairness=measured_fairness,
        drift=drift,
        forecast=forecast,
        blend=candidate.blend,
        ablation=ablation,
        keep_seen=held_out.keep_seen,
        live=live,
        clicks=clicks,
        gate_decision=decide(evidence, comparison, policy, of_clicks, violations),
    )
    _report_results(results)
    return results


def measure_fitted(ranking: Ranking, saved_model: Path, held_out: HeldOut) -> dict[str, Metrics]:
    """Measure a release with its blend, and its parts, on the test queries."""
    with timed("computed interest vectors"), SavedInterestModel(saved_model) as model:
        interest = model.interest(held_out.test.histories, held_out.test.attributes)
    _, models, baseline = _rank(ranking, interest, held_out)
    with timed("computed metrics and intervals"):
        return _metrics(ranking, held_out, models, baseline)


def _rank(
    ranking: Ranking, interest: NDArray[np.float32], held_out: HeldOut
) -> tuple[ServedRanking, dict[str, RankedQueries], str]:
    """Rank the test queries; return the served ranking, the answers of each model, and the best baseline."""
    with timed("ranked the test queries with every model"):
        ranked = ServedRanking(ranking, held_out.test, interest, held_out.profiles)
        models = {SERVED: ranked.answers(), **rank_by_single_models(ranking, held_out.test, interest)}
    baseline = max((POPULARITY, TRANSITIONS), key=lambda name: ndcg(models[name].ranks, 10).mean())
    return ranked, models, baseline


def _fit(
    ranking: Ranking,
    saved_model: Path,
    held_out: HeldOut,
    explored: ExploredAnswers | None,
    fairness: FairnessPolicy,
    providers: Providers | None,
) -> tuple[Ranking, NDArray[np.float32], dict[str, Any]]:
    """Fit what validation queries and clicks decide: the blend, its calibration and the exposure offsets.

    Returns the release with them, the interests of the test queries [queries, interest size], and what the
    blend loses without each of its features.
    """
    queries = sample(held_out.validation, MAX_QUERIES)
    with timed("computed interest vectors"), SavedInterestModel(saved_model) as model:
        validation, test = (
            model.interest(part.histories, part.attributes) for part in (queries, held_out.test)
        )
    with timed(f"fitted the blend on {len(queries):,} validation queries"):
        examples = ServedRanking(ranking, queries, validation).examples()
        blend = fit_blend(examples.features, examples.targets)
        ablation = ablate(examples.features, examples.targets, blend)
    if explored:
        blend["calibration"] |= _on_clicks(explored, replace(ranking, blend=blend), saved_model, held_out)
    candidate, bound = replace(ranking, blend=blend), fairness.balanced_exposure_gap
    if providers and bound is not None:
        with timed("fitted the exposure offsets"):
            candidate = with_offsets(candidate, queries, validation, held_out.profiles, providers, bound)
    return candidate, test, ablation


def _fairness(
    ranked: ServedRanking,
    served: RankedQueries,
    test: Queries,
    masks: dict[str, Masks],
    providers: Providers | None,
    policy: FairnessPolicy,
) -> Fairness:
    """Measure the served ranking, and one that balances exposure if the policy asks for it."""
    measured = measure_fairness(served, test.targets, test.users, masks, providers, SEED)
    if not providers or policy.balanced_exposure_gap is None:
        return measured
    balanced = ranked.answers(balanced=True)
    bound = policy.balanced_exposure_gap
    balance = measure_balance(served, balanced, test.targets, test.users, providers, bound)
    return replace(measured, balance=balance)


def _clicks(
    explored: ExploredAnswers | None,
    candidate: Ranking,
    saved_model: Path,
    held_out: HeldOut,
    live: live_version.LiveVersion | None,
) -> CandidateEvaluation | NoClicks | None:
    """Estimate the candidate's clicks; None if no explored answers are given."""
    if explored is None:
        return None
    version = live.comparison.version if live else None
    try:
        with timed("estimated the clicks on explored answers"):
            return explored.evaluate(candidate, saved_model, held_out.rows.trained_until, version)
    except NoSupport as error:
        return NoClicks(str(error))


def _on_clicks(
    explored: ExploredAnswers, candidate: Ranking, saved_model: Path, held_out: HeldOut
) -> dict[str, Any]:
    """Return the calibration on clicks, or `clicks_not_used`: why there is none."""
    try:
        curve = explored.calibration(candidate, saved_model, held_out.rows.trained_until)
    except NoSupport as error:
        report(f"click probabilities are not calibrated on clicks: {error}")
        return {"clicks_not_used": str(error)}
    report(f"calibrated click probabilities on {curve['clicks']:,} clicks: slope {curve['slope']:.3f}")
    return curve


def _evidence(queries: Queries, models: dict[str, RankedQueries], baseline: str) -> Evidence:
    ours, theirs = (ndcg(models[name].ranks, 10) for name in (SERVED, baseline))
    return Evidence(
        queries=len(queries),
        users=len(np.unique(queries.users)),
        candidate=float(ours.mean()),
        baseline=float(theirs.mean()),
        baseline_name=LABELS[baseline].lower(),
        difference=difference_interval(ours, theirs, queries.users, SEED),
    )


def rank_by_single_models(
    ranking: Ranking, queries: Queries, interest: NDArray[np.float32]
) -> dict[str, RankedQueries]:
    """Rank all items by the interest model, the transitions and the popularity, each alone."""

    def logits(part: slice) -> FloatArray:
        return interest[part] @ ranking.item_embeddings.T

    return {
        INTEREST: rank_all(logits, queries, len(ranking.catalog)),
        TRANSITIONS: baselines.transitions(queries, ranking.filters.transitions),
        POPULARITY: baselines.popularity(queries, ranking.filters.popularity),
    }


def sample(queries: Queries, limit: int) -> Queries:
    """Draw at most `limit` of the queries, with a fixed seed."""
    chosen = np.random.default_rng(SEED).permutation(len(queries))[:limit]
    return queries.select(np.isin(np.arange(len(queries)), chosen))


@contextmanager
def timed(action: str) -> Iterator[None]:
    """Report how long the action took."""
    start = time.monotonic()
    yield
    report(f"{action} in {time.monotonic() - start:.1f} s")


def _report_results(results: EvaluationResults) -> None:
    for name, metrics in results.metrics.items():
        ndcg_at_10, hr_at_10 = metrics["ndcg_at_10"], metrics["hr_at_10"]
        interval = "" if ndcg_at_10.low is None else f" ({ndcg_at_10.low:.4f} to {ndcg_at_10.high:.4f})"
        report(f"{name}: NDCG@10 {ndcg_at_10.value:.4f}{interval}, HR@10 {hr_at_10.value:.4f}")
    seen, no_candidate = (
        results.counts[name] for name in ("test_targets_seen_before", "test_targets_no_candidate")
    )
    report(f"misses: {seen:,} test targets are excluded, {no_candidate:,} were not retrieved")
    for note in notes(results):
        report(f"note: {note}")
    report(f"{results.gate_decision.outcome}: {results.gate_decision.reason}")


def _metrics(
    ranking: Ranking, held_out: HeldOut, models: dict[str, RankedQueries], baseline: str
) -> dict[str, Metrics]:
    calculator = MetricCalculator(held_out.test, ranking.catalog, ranking.filters.popularity, SEED)
    return {
        name: calculator.measure(answers, models[POPULARITY], models[baseline])
        for name, answers in models.items()
    }


def _live_metrics(
    ranking: Ranking,
    held_out: HeldOut,
    models: dict[str, RankedQueries],
    baseline: str,
    live: live_version.LiveVersion,
) -> Metrics:
    """Measure the live version on the queries that are new to it."""
    assert live.answers is not None
    assert live.new_queries is not None
    queries = held_out.test.select(live.new_queries)
    calculator = MetricCalculator(queries, ranking.catalog, ranking.filters.popularity, SEED)
    popular, compared = (models[name].select(live.new_queries) for name in (POPULARITY, baseline))
    return calculator.measure(live.answers, popular, compared)


def _slice_masks(ranking: Ranking, held_out: HeldOut) -> dict[str, Masks]:
    catalog, popularity = ranking.catalog, ranking.filters.popularity
    rows = held_out.rows
    return slices.split_queries(
        held_out.test, catalog, popularity, rows.snapshot.first_seen, rows.trained_users, held_out.users
    )
