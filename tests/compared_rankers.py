"""What comparisons on simulated users cost, and how often they find a difference where there is none.

python -m tests.compared_rankers [SIMULATIONS]

It prints the requests that interleaving and an A/B test need to find the better of two rankers 2 % apart, and
the false alarms of the always-valid test and of a canary's guardrails in A/A experiments.
"""

import argparse
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final, get_args

import numpy as np

from components.evaluate_online.arm_comparison import preference, relative_difference
from pipelines.synthetic_data.simulated_users import Floats, Ints, SimulatedUsers
from serving.experiments.assignment import assign
from serving.experiments.guardrails import CanaryAction, CanaryAnswer, CanaryGuardrails
from serving.experiments.interleaving import interleave
from serving.experiments.kinds import Method
from tests.serving.experiments.experiments import AT, experiment

AB_TEST: Final = "A/B test"
PLACES: Final = 10
APART: Final = 1.02
VISITS: Final = 4

# The share of the noise that the rankers have in common: releases of one model are alike.
ALIKE: Final = 0.97

# A test at 5 % finds a difference of so many standard errors with a probability of 80 %.
POWER_Z: Final = 1.96 + 0.84

# Returns by how many standard errors the second ranker is better in so many requests.
Compare = Callable[[int, np.random.Generator], float]


@dataclass(frozen=True)
class Rankers:
    """A population, and two rankers; the second one's expected clicks are APART times those of the first."""

    population: SimulatedUsers
    attraction: Floats  # [users, items]
    examined: Floats  # [PLACES]
    first: Ints  # [users, PLACES] items
    second: Ints

    @classmethod
    def simulated(cls, common: float, users: int = 4_000, items: int = 100, seed: int = 0) -> "Rankers":
        """Both see through noise what attracts each user; the second one through so much less as needed.

        `common`: the share of the noise, in variance, that both have.
        """
        population = SimulatedUsers(users, items, seed=seed)
        attraction, examined = population.attraction(np.arange(users)), population.examination(PLACES)
        rng = np.random.default_rng(seed + 1)
        shared, *own = (0.2 * rng.normal(size=attraction.shape) for _ in range(3))
        noises = [np.sqrt(common) * shared + np.sqrt(1 - common) * each for each in own]

        def ranked(noise: Floats) -> Ints:
            return np.argsort(-(attraction + noise), axis=1)[:, :PLACES]

        def value(shown: Ints) -> float:
            return float((np.take_along_axis(attraction, shown, axis=1) @ examined).mean())

        first = ranked(noises[0])
        low, high = 0.0, 1.0
        for _ in range(20):
            middle = (low + high) / 2
            is_better = value(ranked(middle * noises[1])) > APART * value(first)
            low, high = (middle, high) if is_better else (low, middle)
        return cls(population, attraction, examined, first, ranked(low * noises[1]))

    @property
    def alike(self) -> float:
        """The mean number of items that both show to a user."""
        pairs = zip(self.first.tolist(), self.second.tolist(), strict=True)
        return float(np.mean([len(set(first) & set(second)) for first, second in pairs]))

    def ab_test(self, requests: int, rng: np.random.Generator) -> float:
        """Return by how many standard errors the second ranker has more clicks, half of the users each."""
        drawn = rng.integers(len(self.first), size=requests // VISITS)
        is_second = rng.random(len(drawn)) < 0.5
        shown = np.where(is_second[:, np.newaxis], self.second[drawn], self.first[drawn])
        attraction = np.take_along_axis(self.attraction[drawn], shown, axis=1)
        clicks = rng.binomial(VISITS, attraction * self.examined).sum(axis=1)
        arms = clicks[is_second], clicks[~is_second]
        error = np.sqrt(sum(arm.var() / len(arm) for arm in arms))
        return float((arms[0].mean() - arms[1].mean()) / error)

    def interleaved(self, requests: int, rng: np.random.Generator, method: Method) -> float:
        """Return by how many standard errors more clicks count for the second ranker."""
        users = rng.integers(len(self.first), size=requests // VISITS)
        won = np.array([self._won_by_second(user, rng, method) for user in users.tolist()])
        return float(won.mean() / (won.std() / np.sqrt(len(won))))

    def _won_by_second(self, user: int, rng: np.random.Generator, method: Method) -> float:
        """Return the clicks that count for the second ranker less those for the first, of VISITS answers."""
        rankings = [list(map(str, ranker[user].tolist())) for ranker in (self.first, self.second)]
        won = 0.0
        for draws in rng.random((VISITS, PLACES)):
            draft = interleave(rankings[0], rankings[1], PLACES, str(rng.integers(1 << 62)), method)
            clicked = draws < self.attraction[user, list(map(int, draft.item_ids))] * self.examined
            won += float(clicked @ np.array(draft.credits))
        return won


def needed_requests(z: float, requests: int) -> int:
    """Return the requests for a power of 80 %, if `requests` give a difference of `z` standard errors."""
    return round(requests * (POWER_Z / z) ** 2)


def comparisons(rankers: Rankers) -> dict[str, tuple[Compare, int]]:
    """Return the ways to compare two rankers, and how many more requests their pilots need."""
    methods: tuple[Method, ...] = get_args(Method)
    interleaving = {
        f"interleaving ({method})": (partial(rankers.interleaved, method=method), 1) for method in methods
    }
    return {AB_TEST: (rankers.ab_test, 40), **interleaving}


def needed_by_each(rankers: Rankers, pilot: int, rng: np.random.Generator) -> dict[str, int]:
    """Return the requests that each comparison needs, from a pilot of many requests."""
    return {
        name: needed_requests(compare(times * pilot, rng), times * pilot)
        for name, (compare, times) in comparisons(rankers).items()
    }


def false_alarms_of_the_test(simulations: int, users: int = 2_000, looks: int = 50, seed: int = 0) -> int:
    """Return in how many A/A experiments the always-valid test is ever certain, at any of its looks.

    Users differ in how often they come back and in what they click; they come back between the looks.
    """
    rng, alarms = np.random.default_rng(seed), 0
    for _ in range(simulations):
        activity, taste = rng.lognormal(-1.0, 1.0, users), rng.beta(1, 9, users)
        is_second = rng.random(users) < 0.5
        clicks, places = np.zeros(users), np.zeros(users)
        for _ in range(looks):
            visits = rng.poisson(activity / 10)
            clicks += rng.binomial(visits * PLACES, taste)
            places += visits * PLACES
            arms = [(clicks * mask, places * mask) for mask in (~is_second, is_second)]
            result = relative_difference(*arms)
            if result is not None and result.is_certain:
                alarms += 1
                break
    return alarms


def false_alarms_of_a_ramp(simulations: int, users: int = 2_000, looks: int = 40, seed: int = 0) -> int:
    """Return in how many ramped canaries that change nothing the test is ever certain, at any of its looks.

    The share grows from 5 % over 20 % to half of the users while their clicks become fewer.
    """
    rng, alarms = np.random.default_rng(seed), 0
    shares = (0.05, 0.2, 0.5)
    for _ in range(simulations):
        activity, taste = rng.lognormal(-1.0, 1.0, users), rng.beta(1, 9, users)
        at = rng.random(users)
        clicks, places = np.zeros((2, 2, len(shares), users))  # [arms, steps, users] each
        for look in range(looks):
            step = look * len(shares) // looks
            visits = rng.poisson(activity / 10)
            clicked = rng.binomial(visits * PLACES, taste / (1 + step))
            for arm, is_in in enumerate((at >= shares[step], at < shares[step])):
                clicks[arm, step] += clicked * is_in
                places[arm, step] += visits * PLACES * is_in
            result = relative_difference(*((clicks[arm], places[arm]) for arm in (0, 1)))
            if result is not None and result.is_certain:
                alarms += 1
                break
    return alarms


def false_alarms_of_preferences(simulations: int, users: int = 1_000, looks: int = 50, seed: int = 0) -> int:
    """Return in how many interleaved A/A experiments the preference is ever certain, at any of its looks."""
    rng, alarms = np.random.default_rng(seed), 0
    for _ in range(simulations):
        activity = rng.lognormal(-1.0, 1.0, users)
        leaning = rng.beta(5, 5, users)  # a user may like one ranker better: none is better on the whole
        counts = np.zeros((2, users))
        for _ in range(looks):
            clicks = rng.poisson(activity / 10)
            second = rng.binomial(clicks, leaning)
            counts += np.stack([clicks - second, second])
            result = preference(*counts)
            if result is not None and result.is_certain:
                alarms += 1
                break
    return alarms


def false_alarms_of_guardrails(simulations: int, users: int = 400, visits: int = 3, seed: int = 0) -> int:
    """Return how many canaries of a release that changes nothing a guardrail stops."""
    rng = random.Random(seed)
    return sum(_is_stopped(f"canary-{seed}-{number}", rng, users, visits) for number in range(simulations))


def _is_stopped(name: str, rng: random.Random, users: int, visits: int) -> bool:
    """Return whether a guardrail stops a canary whose share grows from 5 % to half of the users."""
    ramp = [{"at": AT, "share": 0.05}, {"at": AT + timedelta(hours=1), "share": 0.5}]
    canary = experiment("canary", name=name, ramp=ramp)
    guardrails, people = CanaryGuardrails(canary), [f"u{number}" for number in range(users)]
    shares = {person: [rng.betavariate(1, 12) for _ in range(4)] for person in people}  # of errors and others
    taste = {person: rng.betavariate(1, 2) for person in people}
    for visit in range(visits):
        rng.shuffle(people)
        for number, person in enumerate(people):
            seconds = AT.timestamp() + 60 + 7200 * (visit * users + number) / (visits * users)
            arm = assign(canary, person, seconds)
            in_canary, at = arm is canary.arms[1], round(seconds * 1e6)
            failed, late, degraded, dismisses = (rng.random() < share for share in shares[person])
            stages = [stage for stage, is_so in (("experiment", failed), ("interest", degraded)) if is_so]
            answer = CanaryAnswer(person, at, in_canary, ",".join(stages), 900_000 if late else 1_000)
            did = ["hide"] * dismisses + ["click"] * (rng.random() < taste[person])
            actions = [CanaryAction(person, at, in_canary, event) for event in did]
            if guardrails.answered(answer) or any(guardrails.acted(action) for action in actions):
                return True
    return False


def print_needed_requests(repeats: int) -> None:
    """Print what both comparisons need, and check the power with these numbers of requests."""
    rng = np.random.default_rng(7)
    for common in (ALIKE, 0.9, 0.5):
        rankers = Rankers.simulated(common)
        print(f"rankers 2 % apart, {rankers.alike:.1f} of {PLACES} items alike:")
        needed = needed_by_each(rankers, 60_000, rng)
        for name, (compare, _) in comparisons(rankers).items():
            found = np.mean([compare(needed[name], rng) > 1.96 for _ in range(repeats)])
            ratio = needed[AB_TEST] / needed[name]
            print(f"  {name}: {needed[name]:,} requests, 1/{ratio:.1f} (found in {found:.0%} of {repeats})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("simulations", type=int, nargs="?", default=1_000, help="(default: 1000)")
    simulations = parser.parse_args().simulations
    print_needed_requests(max(10, simulations // 10))
    for what, count in (
        ("always-valid test, A/B", false_alarms_of_the_test(simulations)),
        ("always-valid test, ramped canary", false_alarms_of_a_ramp(simulations)),
        ("always-valid test, interleaving", false_alarms_of_preferences(simulations)),
        ("guardrails of a canary", false_alarms_of_guardrails(simulations)),
    ):
        print(f"{what}: {count} false alarms in {simulations} A/A simulations ({count / simulations:.1%})")


if __name__ == "__main__":
    main()
