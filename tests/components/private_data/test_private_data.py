"""Private counts: what one user can change, what the noise hides, and what is kept of many users."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.stats import norm

from components.errors import StepError
from components.ingest_interactions.warehouse.parts import Part, Watermarks
from components.ingest_interactions.warehouse.privacy_statement import privacy_of
from components.private_data.gaussian_privacy import composed, epsilon_of, mu_of
from components.private_data.measured_accuracy import MIN_CHOICES, gains, hold_out, measure
from components.private_data.privacy_ledger import FOLDER, PrivacyLedger
from components.private_data.private_counts import (
    MAX_CHOICES,
    MAX_ITEMS,
    PrivateCounts,
    item_weights,
    noised_counts,
    user_choices,
    user_repeats,
    user_transitions,
)
from components.private_data.synthetic_sequences import draw_sequences
from tests.private_data import audited_epsilon

DELTA = 1e-5


@pytest.mark.parametrize("epsilon", [0.1, 2.0, 8.0, 50.0])
def test_delta_is_the_privacy_loss_that_is_integrated_numerically(epsilon: float) -> None:
    # δ(ε) = ∫ max(p − e^ε q, 0) of two normal densities that lie μ apart.
    mu, step = mu_of(epsilon, DELTA), 1e-4
    points = np.arange(-10, 20, step)
    excess = np.maximum(norm.pdf(points, mu) - np.exp(epsilon) * norm.pdf(points), 0).sum() * step
    assert excess == pytest.approx(DELTA, rel=1e-3)
    assert epsilon_of(mu, DELTA) == pytest.approx(epsilon)


def test_the_noise_of_several_sums_adds_up_by_squares() -> None:
    assert composed([0.3, 0.4]) == pytest.approx(0.5)
    assert epsilon_of(composed([]), DELTA) == 0


@pytest.mark.parametrize("values", [(0.0, DELTA), (1.0, 0.0), (1.0, 1.0), (-1.0, DELTA)])
def test_values_out_of_range_are_refused(values: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="expected 0 < epsilon"):
        mu_of(*values)


def test_a_user_changes_the_sums_by_at_most_unit_length_whatever_the_user_did() -> None:
    rng = np.random.default_rng(0)
    # One choice; the same one again and again; very many; the others at random.
    lengths = [1, 5, 3 * MAX_CHOICES, *rng.integers(1, 60, 30)]
    users = np.repeat(np.arange(len(lengths)), lengths)
    items = rng.integers(0, 20, len(users))
    items[1:6] = 7
    weights = item_weights(rng.random(20) * 100, mu=0.5)
    assert weights.max() > 2 * weights.min()
    choices, transitions = user_choices(users, items, 20), user_transitions(users, items, weights)
    repeats = user_repeats(users, items, 20)
    squared = [np.asarray(part.multiply(part).sum(axis=1)).ravel() for part in (choices, transitions)]
    assert (squared[0] + squared[1] + (repeats**2).sum(axis=1)).max() <= 1 + 1e-9
    assert squared[0].min() > 0
    assert repeats[1, 0] == pytest.approx(4 * repeats[1, 1])  # four of five repeat an earlier one
    assert squared[1][:2].tolist() == [0, 0]  # no step to another item
    # Without the user, the others add what they added before.
    others = users != 2
    left = np.unique(users[others], return_inverse=True)[1], items[others]
    parts = user_choices(*left, 20), user_transitions(*left, weights)
    for part, all_users in zip(parts, (choices, transitions), strict=True):
        rows = np.delete(np.arange(len(lengths)), 2)
        np.testing.assert_array_equal(part.toarray(), all_users[rows].toarray())


def test_what_many_users_do_is_kept_and_what_one_does_is_hidden() -> None:
    users, items = ring(600)
    users, items = np.append(users, [600] * 3), np.append(items, [30, 31, 32])  # one user alone chose these
    rng = np.random.default_rng(0)
    counts = noised_counts(users, items, 33, mu_of(2.0, DELTA), rng)
    assert counts.transitions[[30, 31, 32]].nnz == 0
    drawn = draw_sequences(counts, 500, 20, rng)
    assert drawn.shape == (500, 20)
    steps = (drawn[:, 1:] - drawn[:, :-1]) % 30
    assert ((steps > 0) & (steps <= 5)).mean() > 0.4  # at random 0.17
    assert (drawn >= 30).mean() < 0.1


@pytest.mark.parametrize("share", [0.0, 0.6])
def test_drawn_sequences_repeat_choices_as_often_as_users_do(share: float) -> None:
    rng = np.random.default_rng(0)
    users, items = np.repeat(np.arange(400), 50), rng.integers(0, 500, 400 * 50)
    for user in range(400):  # the first choices are different, and the others repeat these
        own = slice(50 * user, 50 * (user + 1))
        different = rng.permutation(500)[: round(50 * (1 - share))]
        items[own] = np.concatenate([different, rng.choice(different, 50 - len(different))])
    counts = noised_counts(users, items, 500, mu_of(4.0, DELTA), rng)
    assert counts.repeat_share == pytest.approx(share, abs=0.06)
    drawn = draw_sequences(counts, 1_000, 50, rng)
    repeats = 1 - np.mean([len(np.unique(row)) / 50 for row in drawn])
    assert repeats == pytest.approx(counts.repeat_share, abs=0.03)


def test_choices_repeats_and_transitions_all_get_the_noise() -> None:
    nobody, mu, rng = np.zeros(0, np.int64), 0.5, np.random.default_rng(0)
    draws = [noised_counts(nobody, nobody, 60, mu, rng, threshold=-np.inf) for _ in range(200)]
    choices = np.stack([counts.choices for counts in draws])
    # Of noise around 0, what is above 0 has this mean square.
    assert np.mean(choices[choices > 0] ** 2) == pytest.approx(1 / mu**2, rel=0.05)
    weights = item_weights(draws[0].choices, mu)
    transitions = draws[0].transitions.toarray() * np.outer(weights, weights)
    assert transitions.std() == pytest.approx(1 / mu, rel=0.05)
    # Of 300 users one of two choices repeats the other: sums of 15 and 15, each with noise of deviation 2.
    users, same = np.repeat(np.arange(300), 2), np.zeros(600, np.int64)
    shares = [noised_counts(users, same, 2, mu, rng).repeat_share for _ in range(200)]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.02)
    assert np.std(shares) == pytest.approx(2 * (15**2 + 15**2) ** 0.5 / 30**2, rel=0.2)


def test_a_drawn_choice_follows_from_one_of_several_earlier_ones() -> None:
    follows = csr_array((np.ones(40, np.float32), (np.arange(40), np.arange(40) + 40)), shape=(80, 80))
    counts = PrivateCounts(np.repeat([1.0, 0.0], 40).astype(np.float32), follows, 0.0)
    drawn = draw_sequences(counts, 2_000, 8, np.random.default_rng(0))
    lags = [
        place - row.index(item - 40)
        for row in drawn.tolist()
        for place, item in enumerate(row)
        if item >= 40 and item - 40 in row[:place]
    ]
    assert {1, 2, 3} <= set(lags)
    assert lags.count(1) > lags.count(2) > lags.count(3)


def test_nothing_is_drawn_where_nobody_chose_and_too_many_items_are_refused() -> None:
    nobody, rng = np.zeros(0, np.int64), np.random.default_rng(0)
    counts = noised_counts(nobody, nobody, 3, 1.0, rng)
    counts.choices[:] = 0
    with pytest.raises(ValueError, match="too few users for this epsilon"):
        draw_sequences(counts, 5, 5, rng)
    with pytest.raises(ValueError, match="at most 30,000"):
        noised_counts(nobody, nobody, MAX_ITEMS + 1, 1.0, rng)


def test_an_attacker_who_knows_all_but_one_user_shows_less_than_epsilon() -> None:
    assert 0 < audited_epsilon(4.0, runs=400) < 4.0


def test_the_audit_finds_noise_that_is_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.private_data.mu_of", lambda epsilon, delta: 10 * mu_of(epsilon, delta))
    assert audited_epsilon(1.0, runs=400) > 1.0


def test_the_ledger_composes_and_refuses_to_overspend(tmp_path: Path) -> None:
    ledger = PrivacyLedger(str(tmp_path))
    assert ledger.epsilon(DELTA) == pytest.approx(0, abs=1e-6)
    for place in ("a", "b"):
        name = ledger.spend(place, 4.0, DELTA, budget=8.0)
    assert 4.0 < ledger.epsilon(DELTA) < 8.0  # squares add up
    with pytest.raises(StepError, match=r"more would make .* the budget PENCHANT_PRIVACY_BUDGET is 8"):
        ledger.spend("c", 7.0, DELTA, budget=8.0)
    assert sorted(each.place for each in ledger.spendings()) == ["a", "b"]
    assert ledger.curve(DELTA) == []
    ledger.add_accuracy(name, {"ndcg_at_10": 0.05})
    (point,) = ledger.curve(DELTA)
    assert (point["epsilon"], point["ndcg_at_10"]) == (pytest.approx(4), 0.05)
    other = PrivacyLedger(str(tmp_path / "other"))
    other.spend("d", 8.0, DELTA, budget=8.0)
    assert other.epsilon(DELTA) == pytest.approx(8)
    for content in ("{}", '{"at": "", "place": "", "mu": NaN}', '{"at": "", "place": "", "mu": -1}'):
        (tmp_path / FOLDER / "damaged.json").write_text(content)
        with pytest.raises(StepError, match=r"damaged.json: expected what .* spent"):
            ledger.spendings()


def test_of_two_homes_that_spend_at_once_none_overspends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = PrivacyLedger(str(tmp_path)), PrivacyLedger(str(tmp_path))
    # The second home looked before the first one spent.
    monkeypatch.setattr(second, "check", lambda *_: None)
    first.spend("a", 7.0, DELTA, budget=8.0)
    with pytest.raises(StepError, match="drawn from this warehouse meanwhile"):
        second.spend("b", 7.0, DELTA, budget=8.0)
    assert [each.place for each in second.spendings()] == ["a"]


def test_drawn_files_add_up_and_what_was_withdrawn_or_replaced_has_no_bound() -> None:
    private = [{"epsilon": epsilon, "delta": 1e-5, "curve": [{"epsilon": epsilon}]} for epsilon in (2.0, 4.0)]
    drawn = [Part("interactions", f"{n}", f"{n}", "", 10, n, privacy=each) for n, each in enumerate(private)]
    items = Part("items", "3", "3", "", 10, 3, since=1)
    assert privacy_of(Watermarks(parts=[drawn[0], items])) == private[0]
    together = privacy_of(Watermarks(parts=[*drawn, items]))
    assert together["epsilon"] == epsilon_of(composed([mu_of(2.0, 1e-5), mu_of(4.0, 1e-5)]), 1e-5)
    assert together["curve"] == [{"epsilon": 4.0}]  # the later one has that of both
    assert privacy_of(Watermarks(parts=drawn, withdrawn=1)) == {}
    assert privacy_of(Watermarks(parts=[*drawn, replace(drawn[0], since=1)])) == {}
    assert privacy_of(Watermarks(parts=[*drawn, Part("users", "4", "4", "", 10, 4)])) == {}
    assert privacy_of(Watermarks(parts=[items])) == {}


def ring(users: int) -> tuple[np.ndarray, np.ndarray]:
    """Users and their choices: each goes round in a ring of 30 items, 20 steps from another place."""
    return np.repeat(np.arange(users), 20), (np.arange(users * 20) % 20 + np.arange(users).repeat(20)) % 30


def test_what_is_held_out_of_a_user_depends_on_no_other_user() -> None:
    users, items = ring(4)
    users, items = np.append(users, [4] * (MIN_CHOICES - 1)), np.append(items, [7] * (MIN_CHOICES - 1))
    left, left_items, held_out = hold_out(users, items)
    assert np.bincount(left).tolist() == [19, 19, 19, 19, MIN_CHOICES - 1]  # few choices are all kept
    assert held_out.targets.tolist() == [19, 20, 21, 22]
    np.testing.assert_array_equal(held_out.items, left_items[left < 4])
    others = users != 1
    assert hold_out(users[others] - (users[others] > 1), items[others])[2].targets.tolist() == [19, 21, 22]


def test_the_measured_accuracy_is_that_of_the_drawn_data_with_the_noise_that_it_states() -> None:
    *_, held_out = hold_out(*ring(500))
    drawn = (np.arange(30)[:, None] + np.arange(30)) % 30  # the same ring: the next item is always right
    rng = np.random.default_rng(0)
    exact = [by_transitions for by_transitions, _ in gains(held_out, drawn, 30)]
    assert np.mean(exact) == 1.0
    measured = [measure(held_out, drawn, 30, mu=0.5, rng=rng) for _ in range(40)]
    popularity = np.array([each.popularity for each in measured if each])
    (noise,) = {round(each.noise, 2) for each in measured if each}
    assert len(popularity) == 40
    assert 0.3 * noise < popularity.std() < 0.8 * noise  # 1.96 deviations
    assert {round(each.users, -2) for each in measured if each} == {500}
    assert measure(held_out, drawn, 30, mu=0.01, rng=rng) is None
