"""The page: self-contained, escaped, with the verdict first, and complete without a live version."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.evaluate_release.dossier.contents import Other, contents
from components.evaluate_release.dossier.page import render
from components.evaluate_release.dossier.reference import as_evaluated
from components.evaluate_release.dossier.registered import Dossier
from tests.chromium import rendered_html
from tests.components.evaluate_release.dossier.stored import USERS, facts, stored

RECORD = {
    "at": "2026-11-28T12:30:00.000+00:00",
    "version": 6,
    "act": "approved",
    "by": "ann",
    "reason": "<b>good</b>",
}


def page(**changes: Any) -> dict[str, Any]:
    """Return the dossier of a version that is worse than the live one for every second user."""
    own, before = stored(np.where(USERS % 2, 9, 3), shift=3, **changes), stored(2)
    reference = as_evaluated(own, before)
    serving = before.facts["serving"]
    # as it is read from its file
    return json.loads(
        json.dumps(contents(own, Other(6, "live version 6", before, reference, serving, True, [])))
    )


@pytest.fixture(scope="module")
def html() -> str:
    return render(page(), "<section>details</section>", 7, [RECORD])


def test_the_verdict_comes_before_everything_else(html: str) -> None:
    order = ["<h1>Version 7</h1>", "Not shown to be better than the live version", "It needs more."]
    order += ["Significantly worse than live version 6", "Against live version 6", "Against the baselines"]
    order += ["What is recommended", "What changed in the data", "What users get", "What it costs to serve"]
    order += ["How it was made", "Earlier decisions", "<section>details</section>"]
    found = [html.index(words) for words in order]
    assert found == sorted(found)
    assert "penchant review approve 7" in html


def test_nothing_is_loaded_from_elsewhere_and_data_are_escaped(html: str) -> None:
    assert "Film &lt;4&gt;" in html
    assert "&lt;b&gt;good&lt;/b&gt;" in html
    for outside in ("<script", "http-equiv", "<link", "src=", "url(", "@import", "<Film"):
        assert outside not in html, outside


def test_a_private_version_shows_epsilon_and_the_accuracy_for_real_users_against_it(html: str) -> None:
    points = [(2.0, 0.03), (8.0, 0.06)]
    curve = [
        {"epsilon": epsilon, "ndcg_at_10": ndcg, "popularity": 0.015, "noise": 0.0048, "users": 900.0}
        for epsilon, ndcg in points
    ]
    private = render(page(privacy={"epsilon": 8.0, "delta": 1e-5, "curve": curve}))
    assert "epsilon 8 at delta 1e-05, for a user with all that the user ever did" in private
    assert "<td>2</td><td>0.0300</td><td>0.0150</td><td>0.0048</td><td>900</td>" in private
    # The axes begin at (40, 110); epsilon 8 is at the right end, its NDCG@10 with the noise at the top.
    assert '<polyline class="ndcg_at_10" points="102.5,66.0 290.0,22.0 "/>' in private
    assert '<line x1="290.0" x2="290.0" y1="29.1" y2="15.0"/>' in private
    popular = [{**point, "popularity": 0.09} for point in curve]  # the best is the top of the chart
    better = render(page(privacy={"epsilon": 8.0, "delta": 1e-5, "curve": popular}))
    assert '<polyline class="popularity" points="102.5,15.0 290.0,15.0 "/>' in better
    alone = render(page(privacy={"epsilon": 8.0, "delta": 1e-5, "curve": curve[:1]}))
    assert ("<polyline" in alone, "0.0300" in alone) == (False, True)
    assert "Privacy" not in html


def test_slices_that_are_significantly_worse_are_marked(html: str) -> None:
    marked = html.count('<tr class="worse">')
    assert marked == sum(row["verdict"] == "worse" for row in page()["against"]["rows"][1:]) > 0
    assert "Benjamini and Hochberg" in html
    assert html.count('<svg class="forest worse"') >= marked


def test_a_browser_builds_the_page_as_it_was_written(html: str, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(html)
    document = rendered_html(file)
    assert document.count('class="user"') == html.count('class="user"')
    assert document.count('class="forest') == html.count('class="forest')


def test_the_first_release_has_a_page_too() -> None:
    html = render(contents(stored(), None))
    assert "No version is live to compare with." in html
    assert "There is no earlier version to compare with." in html
    assert "Not shown to be better than the best baseline" in html
    assert "Earlier decisions" not in html
    assert "penchant review approve VERSION" in html


def test_what_is_missing_of_the_live_version_is_said() -> None:
    missing = ["The evaluation of live version 6 is not there (deleted)."]
    html = render(contents(stored(), Other(6, "live version 6", None, None, {}, False, missing)), "", 7)
    assert missing[0] in html
    assert "The data of live version 6 are not known" in html
    assert "Against live version 6" not in html


def test_a_comparison_of_two_versions_says_which_one_is_better() -> None:
    compared = page()
    compared["facts"]["gate"] = None
    html = Dossier(9, compared).render([])
    assert "<h1>Version 9 against live version 6</h1>" in html
    assert "Version 9 is worse than live version 6" in html
    assert "Nothing was decided yet." in html
    assert "penchant review approve" not in html


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        ({"outcome": "better", "goes_live": True, "policy": "auto"}, "Under the policy auto it goes live"),
        ({"outcome": "better", "goes_live": False, "policy": "review"}, "Better than the live version"),
        ({"outcome": "worse", "goes_live": False, "policy": "auto"}, "Worse than the live version"),
    ],
)
def test_the_gates_decision_is_shown(gate: dict[str, Any], expected: str) -> None:
    assert expected in render(page(gate=facts()["gate"] | gate), "", 7)


CLICKS = {
    "scenario": "explore",
    "live": 0.2,
    "left_out": {"the request was longer than 16 KB": 3},
    "evaluation": {
        "answers": 1200,
        "effective": 310.4,
        "support": 1.0,
        "estimates": [
            {"method": "SNIPS", "value": 0.23, "low": 0.2, "high": 0.26, "difference": [-0.01, 0.05]}
        ],
    },
}


def test_clicks_that_were_estimated_are_a_table_and_refused_ones_a_sentence() -> None:
    html = render(page(clicks=CLICKS), "", 7, [])
    assert "from 1,200 answers of the scenario explore" in html
    assert "<td>Version 7, SNIPS</td><td>0.230</td><td>0.200 to 0.260</td><td>−0.010 to +0.050</td>" in html
    assert "3 answers left out: the request was longer than 16 KB." in html
    refused = render(page(clicks={"refused": "no scenario explores"}), "", 7, [])
    assert "<p>Not used: no scenario explores.</p>" in refused
    assert "Clicks, estimated" not in render(page(), "", 7, [])  # of a version that has none


def test_gaps_between_groups_and_the_exposure_of_providers_are_tables() -> None:
    figure = {"value": 0.2, "low": 0.1, "high": 0.3}
    gap = {"attribute": "age", "metric": "NDCG@10", "best": "young", "worst": "<old>", "p_value": 0.01}
    gap |= {"best_value": 0.3, "worst_value": 0.1, "low": 0.05, "high": 0.25}
    provider = {"provider": "small & co", "items": 10, "catalog": 0.2, "relevance": 0.2, "exposure": 0.1}
    fairness = {
        "gaps": [gap],
        "groups": [
            {"attribute": "age", "label": "<old>", "queries": 9, "ndcg_at_10": figure, "hr_at_10": figure}
        ],
        "providers": [
            provider | {"first_place": 0.0, "low": 0.4, "high": 0.6},
            provider | {"provider": "never shown", "first_place": 0.0, "low": 0.0, "high": 0.0},
            provider | {"provider": "rarely chosen", "first_place": 0.0, "low": None, "high": None},
        ],
        "provider_column": "seller",
        "exposure_gap": 0.1,
    }
    html = render(page(fairness=fairness), "", 7, [])
    assert "<td>NDCG@10 by age</td><td>young 0.3000</td><td>&lt;old&gt; 0.1000</td><td>0.2000</td>" in html
    assert "<td>age &lt;old&gt;</td><td>9</td><td>0.2000<small>0.1000 to 0.3000</small></td>" in html
    assert "<td>20.0 %</td><td>10.0 %</td><td>0.0 %</td><td>0.50<small>0.40 to 0.60</small></td>" in html
    assert "NDCG@10 differs by age: 0.3000 with young, 0.1000 with &lt;old&gt;." in html
    assert "Shown less than users choose them: the items of small &amp; co, never shown." in html
    assert '<tr class="worse"><td>never shown</td>' in html
    assert '<tr class=""><td>rarely chosen</td>' in html
    assert "Fairness" not in render(page(), "", 7, [])  # of a version that has none
