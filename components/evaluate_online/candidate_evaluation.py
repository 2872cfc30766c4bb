"""Estimates what another release would earn on the answers that a scenario explored."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from components.evaluate_online.candidate_estimates import CandidateEvaluation
from components.evaluate_online.clicked_answers import Clicks, key_of
from components.evaluate_online.last_answers import last_answers
from components.evaluate_online.left_out import BASES, COLD_START, why_unusable
from components.evaluate_online.off_policy import LoggedAnswers, NoSupport, evaluate_off_policy
from components.evaluate_online.off_policy_options import OffPolicyOptions
from feature_repo.counts import counted
from serving.answers import Answer
from serving.exposures.exposure import Exposure
from serving.ranking.exploration import propensities
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.scenarios import Exploration
from serving.replay.not_repeatable import NotRepeatable
from serving.replay.replayed_batches import replay_all
from serving.replay.replayer import Replayer


async def evaluate_candidate(
    exposures: Iterable[Exposure],
    clicks: Clicks,
    replayer: Replayer,
    release: LoadedRelease,
    scenario: str,
    options: OffPolicyOptions,
) -> CandidateEvaluation:
    """Return the estimated clicks per answer of a release under the scenario's own exploration.

    The reward model of DR is the mean of each place.

    Args:
        exposures: of any scenario, oldest first; the newest `options.answers` of the scenario are used, or
            left out and counted. Of those to the same request of a user, only the last one counts.

    Raises:
        NoSupport: the answers can't tell; says why.
        ValueError: the scenario is unknown, or does not explore.
    """
    exploration = _exploration(options, scenario)
    greedy = {name: each.model_copy(update={"exploration": None}) for name, each in options.scenarios.items()}
    ranker = replace(replayer, scenarios=greedy)
    explored = last_answers(exposures, lambda each: each.scenario == scenario, options.answers)
    usable, left_out = _usable(explored, clicks)

    def candidate_propensities(exposure: Exposure, answer: Answer) -> NDArray[np.float64] | None:
        if answer.basis not in BASES:
            return None
        scores = {item.item_id: item.score for item in answer.recommendations}
        order = {item_id: rank for rank, item_id in enumerate(scores)}
        ranks = [order.get(item_id, -1) for item_id in exposure.item_ids]
        return propensities(np.array(list(scores.values()), np.float32), ranks, exploration)

    k = max(exploration.pool, len(usable[0].item_ids) if usable else 0)
    users: list[str] = []
    rows: list[tuple[list[float], list[float], list[float]]] = []
    answers = await replay_all(ranker, usable, release, k, candidate_propensities)
    for exposure, given in zip(usable, answers, strict=True):
        if isinstance(given, NotRepeatable):
            left_out[str(given)] += 1
        elif given is None:
            left_out[COLD_START] += 1
        else:
            users.append(exposure.user_id or exposure.request_id)
            rows.append((clicks[key_of(exposure)], list(exposure.propensities), given.tolist()))
    if not rows:
        raise NoSupport(f"no answer of the scenario {scenario!r} can be used{_reasons(left_out)}")
    rewards, live, candidate = (np.array([row[part] for row in rows]) for part in range(3))
    model = np.broadcast_to(rewards.mean(axis=0), rewards.shape)
    _, numbers = np.unique(users, return_inverse=True)
    logged = LoggedAnswers(numbers, rewards, live, candidate, model, model)
    try:
        evaluation = evaluate_off_policy(logged, options.min_effective, options.min_support)
    except NoSupport as error:
        raise NoSupport(f"{error}{_reasons(left_out)}") from error
    return CandidateEvaluation(scenario, evaluation, float(rewards.sum(axis=1).mean()), dict(left_out))


def _usable(explored: Sequence[Exposure], clicks: Clicks) -> tuple[list[Exposure], Counter[str]]:
    """Return the answers with the usual number of items and known clicks; reason -> number of the others."""
    usable, left_out = list[Exposure](), Counter[str]()
    reasons = [why_unusable(each, clicks) for each in explored]
    lengths = Counter(len(each.item_ids) for each, why in zip(explored, reasons, strict=True) if not why)
    usual = lengths.most_common(1)[0][0] if lengths else 0
    for exposure, reason in zip(explored, reasons, strict=True):
        if not reason and len(exposure.item_ids) != usual:
            reason = f"the answer did not have {counted(usual, 'item')}, as most do"
        if reason:
            left_out[reason] += 1
        else:
            usable.append(exposure)
    return usable, left_out


def _reasons(left_out: Counter[str]) -> str:
    """Return the end of a sentence that says how many answers were left out and why; "" for none."""
    if not left_out:
        return ""
    reasons = "; ".join(f"{counted(number, 'answer')}: {reason}" for reason, number in left_out.items())
    return f" (left out: {reasons})"


def _exploration(options: OffPolicyOptions, scenario: str) -> Exploration:
    if scenario not in options.exploring or not (exploration := options.scenarios[scenario].exploration):
        names = ", ".join(options.exploring)
        names = names or "none: give one the key `exploration`, and set PENCHANT_SCENARIOS"
        raise ValueError(f"scenario {scenario!r}: expected one that explores, which are {names}")
    return exploration
