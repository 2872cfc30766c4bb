"""The drift benchmark on a planted world: who follows at once, who never does, and what is said of it."""

from dataclasses import replace

import pytest

from components.evaluate_release.drift.drift_study import study
from components.evaluate_release.drift.interest_shifts import STEPS
from components.evaluate_release.report.drift_plot import drift as drawn
from tests.components.evaluate_release.item_groups_world import BLEND, TASTES, build


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    ranking, model, held = build(tmp_path_factory.mktemp("tastes"))
    return replace(ranking, blend=BLEND), model, held


@pytest.fixture(scope="module")
def found(parts):
    return study(*parts)


@pytest.mark.parametrize("kind", ["real", "simulated"])
@pytest.mark.parametrize("model", ["served", "interest"])
def test_a_model_that_looks_at_the_newest_item_alone_needs_one_interaction(found, kind, model):
    following = found.kinds[kind].models[model]
    assert following.interactions_to_follow == 1
    assert following.followed == 1.0
    assert following.share == [0.0] + [1.0] * (len(STEPS) - 1)


@pytest.mark.parametrize("kind", ["real", "simulated"])
@pytest.mark.parametrize("model", ["als", "popularity"])
def test_what_does_not_know_of_the_switch_never_follows(found, kind, model):
    following = found.kinds[kind].models[model]
    assert following.interactions_to_follow is None
    assert following.followed == 0.0
    assert max(following.share) < 0.5


def test_folding_in_follows_once_the_new_taste_has_the_greater_weight(found):
    share = found.kinds["real"].models["als_folded_in"].share
    assert share[0] < 0.5
    assert share[-1] > share[1]


def test_the_base_rate_is_what_the_taste_has_of_all_interactions(found):
    assert found.tastes == "categories"
    assert found.kinds["real"].base_rate == pytest.approx(1 / TASTES, abs=0.02)
    assert sum(found.kinds["real"].pairs.values()) == found.kinds["real"].users


def test_the_flat_figures_hold_models_that_follow_alone(found):
    assert {"served": 1.0, "interest": 1.0}.items() <= found.figures.items()
    assert not {"als", "popularity"} & set(found.figures)
    assert found.to_json()["kinds"]["real"]["models"]["als"]["interactions_to_follow"] is None


def test_the_same_seed_finds_the_same(parts, found):
    assert study(*parts) == found


def test_the_picture_has_a_panel_for_each_kind_and_a_line_for_each_model(found):
    panels = drawn(found).axes
    assert [axes.get_title() for axes in panels] == [
        f"{found.kinds[kind].users} {kind} users" for kind in ("real", "simulated")
    ]
    # and the base rate and the half
    assert len(panels[0].lines) == len(found.kinds["real"].models) + 2


def test_without_categories_the_crowds_that_choose_an_item_are_its_taste(tmp_path):
    ranking, model, held = build(tmp_path, categories=False)
    found = study(replace(ranking, blend=BLEND), model, held)
    assert found.tastes == "clusters"
    assert found.kinds["simulated"].models["interest"].interactions_to_follow == 1


def test_too_few_users_are_said_not_measured(parts):
    ranking, model, held = parts
    few = held.test.select(held.test.users < 3)
    found = study(ranking, model, replace(held, test=few))
    assert list(found.kinds) == ["simulated"]
    assert "not measured on real users" in found.why
