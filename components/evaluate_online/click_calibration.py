"""Calibrates scores to click probabilities on what users were shown and clicked.

Log odds of a click = slope · log odds of the item's softmax share + intercept + effect of its place. Users
look less at lower places (Craswell et al. 2008); without the effect a low place would count as a bad item.
The recommender's probability is that of the first place, whose effect is 0.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from components.evaluate_online.clicked_answers import Clicks, key_of
from components.evaluate_online.left_out import BASES, COLD_START, report_left_out, why_unusable
from components.evaluate_online.off_policy import NoSupport
from components.metrics.bootstrap import MIN_USERS
from components.metrics.reliability import expected_calibration_error, reliability
from components.progress import report
from feature_repo.counts import counted
from serving.answers import Answer, Recommendation
from serving.exposures.exposure import Exposure
from serving.ranking.calibration import softmax_log_odds
from serving.ranking.loaded_release import LoadedRelease
from serving.replay.not_repeatable import NotRepeatable
from serving.replay.replayed_batches import replay_all
from serving.replay.replayer import Replayer

Floats = NDArray[np.float64]

# Lower places share an effect.
MAX_PLACE: Final = 10
# Of the candidates, those whose softmax share matters.
_RANKED: Final = 1_000
_PENALTY: Final = 1e-3
_Z: Final = 1.96
_GREEDY: Final = {"exploration": None, "diversity": 0.0, "max_per_category": None, "min_fresh_share": 0.0}


@dataclass(frozen=True, eq=False)
class ShownItems:
    """Items that were shown, under the scores of a candidate."""

    log_odds: Floats  # [n] of the softmax share
    clicked: Floats  # [n] 0 or 1
    places: NDArray[np.int64]  # [n] from 0
    users: NDArray[np.int64]  # [n] number of the user


async def score_shown_items(
    exposures: Iterable[Exposure],
    clicks: Clicks,
    replayer: Replayer,
    release: LoadedRelease,
) -> ShownItems:
    """Let a release answer the requests again, and return its log odds for the items that were shown then.

    Reports how many answers and items are left out, and why.
    """
    scenarios = {name: each.model_copy(update=_GREEDY) for name, each in replayer.scenarios.items()}
    ranker = replace(replayer, scenarios=scenarios)
    usable, left_out = list[Exposure](), Counter[str]()
    for exposure in exposures:
        if reason := why_unusable(exposure, clicks):
            left_out[reason] += 1
        else:
            usable.append(exposure)
    blend = release.ranking.blend

    def shown_log_odds(exposure: Exposure, answer: Answer) -> list[float | None] | None:
        if answer.basis not in BASES:
            return None
        log_odds = _log_odds(answer.recommendations, blend)
        return [log_odds.get(item_id) for item_id in exposure.item_ids]

    rows: list[tuple[float, float, int]] = []
    users: list[str] = []
    places = 0
    answers = await replay_all(ranker, usable, release, _RANKED, shown_log_odds)
    for exposure, answer in zip(usable, answers, strict=True):
        if answer is None or isinstance(answer, NotRepeatable):
            left_out[str(answer or COLD_START)] += 1
            continue
        places += len(answer)
        for place, (log_odds, is_clicked) in enumerate(zip(answer, clicks[key_of(exposure)], strict=True)):
            if log_odds is not None:
                rows.append((log_odds, is_clicked, min(place, MAX_PLACE)))
                users.append(exposure.user_id or exposure.request_id)
    report_left_out("click calibration", left_out)
    if len(rows) < places:
        report(
            f"click calibration leaves out {places - len(rows):,} of {counted(places, 'shown item')}: the "
            f"release does not have them among its best {_RANKED:,}"
        )
    columns = np.array(rows, np.float64).reshape(-1, 3)
    _, numbers = np.unique(np.array(users, np.str_), return_inverse=True)
    return ShownItems(columns[:, 0], columns[:, 1], columns[:, 2].astype(np.int64), numbers)


def _log_odds(items: Sequence[Recommendation], blend: Mapping[str, Any]) -> dict[str, float]:
    if items and items[0].click_probability is not None:  # items with bids, whose scores are expected values
        curve, probabilities = blend["calibration"], np.array([item.click_probability for item in items])
        values = (np.log(probabilities / (1 - probabilities)) - curve["intercept"]) / curve["slope"]
    else:
        values = softmax_log_odds(np.array([item.score for item in items], np.float32))
    return dict(zip((item.item_id for item in items), values.tolist(), strict=True))


def fit_on_clicks(shown: ShownItems) -> dict[str, Any]:
    """Return slope and intercept of the first place.

    `learned_from` is "clicks". Both halves of the users are predicted by a fit on the other half:
    `reliability` has the curve, `expected_calibration_error` its error.

    Raises:
        NoSupport: it is not certain that higher scores get more clicks, or the items are of too few users.
    """
    users = len(np.unique(shown.users))
    if users < MIN_USERS:
        raise NoSupport(
            f"the clicks are on answers to {counted(users, 'user')}, and {MIN_USERS} are needed, so that a "
            "few people do not decide for everybody"
        )
    features = np.zeros((len(shown.clicked), 2 + MAX_PLACE))
    features[:, 0], features[:, 1] = shown.log_odds, 1
    lower = np.flatnonzero(shown.places)
    features[lower, 1 + shown.places[lower]] = 1
    weights, second = _fit(features, shown.clicked), shown.users % 2 == 1
    predicted = np.zeros(len(shown.clicked))
    for half in (second, ~second):
        predicted[half] = _probabilities(features[half], _fit(features[~half], shown.clicked[~half]))
    margin = _Z * _slope_error(weights, features, shown)
    if weights[0] <= margin:
        raise NoSupport(
            f"on {len(shown.clicked):,} shown items with {int(shown.clicked.sum()):,} clicks, it is not "
            f"certain that higher scores get more clicks at the same place (slope {weights[0]:.3f}, 95 % "
            f"interval {weights[0] - margin:.3f} to {weights[0] + margin:.3f})"
        )
    points = reliability(predicted, shown.clicked, np.ones(len(predicted)))
    return {
        "slope": float(weights[0]),
        "intercept": float(weights[1]),
        "learned_from": "clicks",
        "clicks": int(shown.clicked.sum()),
        "reliability": points,
        "expected_calibration_error": expected_calibration_error(points),
    }


def _fit(features: Floats, clicked: Floats) -> Floats:
    """Return the weights of a logistic regression with a small penalty, which keeps rare places finite."""
    start = np.zeros(features.shape[1])
    return np.asarray(minimize(_loss, start, (features, clicked), jac=True, method="L-BFGS-B").x)


def _slope_error(weights: Floats, features: Floats, shown: ShownItems) -> float:
    """Return the standard error of the slope; a user's items are correlated (Liang and Zeger 1986)."""
    predicted = _probabilities(features, weights)
    curvature = (features.T * (predicted * (1 - predicted))) @ features
    curvature += 2 * _PENALTY * np.eye(len(weights))
    gradients = features * (predicted - shown.clicked)[:, None]
    by_user = np.stack([np.bincount(shown.users, column) for column in gradients.T], axis=1)
    # The slope's row of the inverse, which is symmetric, times the gradient of each user.
    influence = by_user @ np.linalg.solve(curvature, np.eye(len(weights))[0])
    return float(np.sqrt((influence**2).sum()))


def _loss(weights: Floats, features: Floats, clicked: Floats) -> tuple[float, Floats]:
    logits = features @ weights
    loss = (np.logaddexp(0, logits) - clicked * logits).sum() + _PENALTY * (weights**2).sum()
    gradient = features.T @ (_probabilities(features, weights) - clicked) + 2 * _PENALTY * weights
    return float(loss), gradient


def _probabilities(features: Floats, weights: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-(features @ weights))))
