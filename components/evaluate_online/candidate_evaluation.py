"""Estimates what another release would earn on the answers that a scenario explored."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from components.evaluate_online.candidate_estimates import CandidateEvaluation
from components.evaluate_online.last_answers import last_answers
from components.evaluate_online.off_policy import LoggedAnswers, NoSupport, evaluate_off_policy
from components.evaluate_online.off_policy_options import OffPolicyOptions
from serving.answers import Answer
from serving.exposures.exposure import Exposure
from serving.ranking.exploration import propensities
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.scenarios import Exploration
from serving.replay.not_repeatable import NotRepeatable
from serving.replay.replayed_batches import replay_all
from serving.replay.replayer import Replayer

# The scores of a cold start are no log odds.
_BASES: Final = ("history", "request_history")

# (user id, request id) -> whether each place of the answer was clicked.
Clicks = Mapping[tuple[str, str], list[float]]


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
        exposures: of any scenario, oldest first; the newest `options.answers` of the scenario are used. Of
            those to the same request of a user, only the last one counts.

    Raises:
        NoSupport: the answers can't tell; says why.
        ValueError: the scenario is unknown, or does not explore.
    """
    exploration = _exploration(options, scenario)
    greedy = {name: each.model_copy(update={"exploration": None}) for name, each in options.scenarios.items()}
    ranker = replace(replayer, scenarios=greedy)
    explored = last_answers(
        exposures, lambda each: each.scenario == scenario and each.basis in _BASES, options.answers
    )
    places = Counter(len(each.item_ids) for each in explored).most_common(1)
    left_out: Counter[str] = Counter()
    usable: list[Exposure] = []
    for exposure in explored:
        if len(exposure.item_ids) == len(clicks.get(_key(exposure), ())) == places[0][0]:
            usable.append(exposure)
        else:
            left_out["another number of items, or an answer to a bot"] += 1

    def candidate_propensities(exposure: Exposure, answer: Answer) -> NDArray[np.float64]:
        scores = {item.item_id: item.score for item in answer.recommendations}
        order = {item_id: rank for rank, item_id in enumerate(scores)}
        ranks = [order.get(item_id, -1) for item_id in exposure.item_ids]
        return propensities(np.array(list(scores.values()), np.float32), ranks, exploration)

    k = max(exploration.pool, places[0][0] if places else 0)
    users: list[str] = []
    rows: list[tuple[list[float], list[float], list[float]]] = []
    answers = await replay_all(ranker, usable, release, k, candidate_propensities)
    for exposure, given in zip(usable, answers, strict=True):
        if isinstance(given, NotRepeatable):
            left_out[str(given)] += 1
        else:
            users.append(exposure.user_id or exposure.request_id)
            rows.append((clicks[_key(exposure)], list(exposure.propensities), given.tolist()))
    if not rows:
        reasons = "; ".join(left_out) or "there is none with a history"
        raise NoSupport(f"no answer of the scenario {scenario!r} can be used: {reasons}")
    rewards, live, candidate = (np.array([row[part] for row in rows]) for part in range(3))
    model = np.broadcast_to(rewards.mean(axis=0), rewards.shape)
    _, numbers = np.unique(users, return_inverse=True)
    logged = LoggedAnswers(numbers, rewards, live, candidate, model, model)
    evaluation = evaluate_off_policy(logged, options.min_effective, options.min_support)
    return CandidateEvaluation(scenario, evaluation, float(rewards.sum(axis=1).mean()), dict(left_out))


def _key(exposure: Exposure) -> tuple[str, str]:
    return exposure.user_id, exposure.request_id


def _exploration(options: OffPolicyOptions, scenario: str) -> Exploration:
    if scenario not in options.exploring or not (exploration := options.scenarios[scenario].exploration):
        names = ", ".join(options.exploring)
        names = names or "none: give one the key `exploration`, and set PENCHANT_SCENARIOS"
        raise ValueError(f"scenario {scenario!r}: expected one that explores, which are {names}")
    return exploration
