"""Drift on a data set with item groups: models that follow at once, and models that never follow."""

from dataclasses import replace

import pytest

from components.evaluate_release.drift.drift_study import measure_drift
from components.evaluate_release.drift.interest_shifts import STEPS
from components.evaluate_release.report.drift_plot import drift as plot_drift
from tests.components.evaluate_release.item_groups_world import BLEND, GROUPS, build


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    ranking, model, held_out = build(tmp_path_factory.mktemp("groups"))
    return replace(ranking, blend=BLEND), model, held_out


@pytest.fixture(scope="module")
def results(parts):
    return measure_drift(*parts)


@pytest.mark.parametrize("kind", ["real", "simulated"])
@pytest.mark.parametrize("model", ["served", "interest"])
def test_a_model_of_the_newest_item_follows_after_one_interaction(results, kind, model) -> None:
    drift = results.kinds[kind].models[model]
    assert drift.interactions_to_follow == 1
    assert drift.followed == 1.0
    assert drift.share == [0.0] + [1.0] * (len(STEPS) - 1)


@pytest.mark.parametrize("kind", ["real", "simulated"])
@pytest.mark.parametrize("model", ["als", "popularity"])
def test_a_model_that_ignores_new_interactions_never_follows(results, kind, model) -> None:
    drift = results.kinds[kind].models[model]
    assert drift.interactions_to_follow is None
    assert drift.followed == 0.0
    assert max(drift.share) < 0.5


def test_folded_in_als_follows_gradually(results) -> None:
    share = results.kinds["real"].models["als_folded_in"].share
    assert share[0] < 0.5
    assert share[-1] > share[1]


def test_the_base_rate_is_the_groups_share_of_all_interactions(results) -> None:
    assert results.item_groups == "categories"
    assert results.kinds["real"].base_rate == pytest.approx(1 / GROUPS, abs=0.02)
    assert sum(results.kinds["real"].pairs.values()) == results.kinds["real"].users


def test_interactions_to_follow_has_only_models_that_follow(results) -> None:
    assert {"served": 1.0, "interest": 1.0}.items() <= results.interactions_to_follow.items()
    assert not {"als", "popularity"} & set(results.interactions_to_follow)
    assert results.to_json()["kinds"]["real"]["models"]["als"]["interactions_to_follow"] is None


def test_drift_is_reproducible(parts, results) -> None:
    assert measure_drift(*parts) == results


def test_the_plot_has_a_panel_for_each_kind_and_a_line_for_each_model(results) -> None:
    panels = plot_drift(results).axes
    assert [axes.get_title() for axes in panels] == [
        f"{results.kinds[kind].users} {kind} users" for kind in ("real", "simulated")
    ]
    # two more lines: the base rate, and half of the list
    assert len(panels[0].lines) == len(results.kinds["real"].models) + 2


def test_groups_are_clusters_of_items_when_there_are_no_categories(tmp_path) -> None:
    ranking, model, held_out = build(tmp_path, categories=False)
    results = measure_drift(replace(ranking, blend=BLEND), model, held_out)
    assert results.item_groups == "clusters"
    assert results.kinds["simulated"].models["interest"].interactions_to_follow == 1


def test_too_few_users_are_not_measured_and_reported(parts) -> None:
    ranking, model, held_out = parts
    few = held_out.test.select(held_out.test.users < 3)
    results = measure_drift(ranking, model, replace(held_out, test=few))
    assert list(results.kinds) == ["simulated"]
    assert "not measured on real users" in results.why
