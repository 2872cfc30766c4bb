"""Tests that a scenario file is read, or rejected with the key and the allowed values."""

from pathlib import Path

import pytest

from serving.ranking.scenarios import FrequencyCap, Scenario, load_scenarios


def test_the_default_file_has_four_scenarios() -> None:
    scenarios = load_scenarios()
    assert sorted(scenarios) == ["ads", "content", "email", "social"]
    assert scenarios["email"].frequency_cap == FrequencyCap(impressions=1, days=7)
    assert scenarios["social"].sources == ("followed",)
    assert not Scenario().diversifies


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[feed]\ndivrsity = 0.3\n",
            r"\[feed\] divrsity is unknown; allowed are objective, domain, categories, ",
        ),
        ("[feed]\ndiversity = 2\n", r"\[feed\] diversity: .*less than or equal to 1"),
        ("[feed]\nsources = ['friends']\n", r"\['friends'\] are unknown; allowed are interest, transitions"),
        ("[feed]\nobjective = 'clicks'\n", "'score' or 'expected_value'"),
        ("[feed]\nmax_per_category = 0\n", "max_per_category: .*greater than or equal to 1"),
        (
            "[feed]\nfrequency_cap = { often = 3 }\n",
            r"frequency_cap\.often is unknown; allowed are impressions, days",
        ),
        ("[feed]\nfrequency_cap = { impressions = 1 }\n", r"frequency_cap\.days: Field required"),
        (
            "[feed]\nexploration = { method = 'plackett_luce', share = 0.1, epsilo = 1 }\n",
            r"exploration\.epsilo is unknown; allowed are method, share, epsilon",
        ),
        (
            "[feed]\nexploration = { method = 'plackett_luce', share = 1.5 }\n",
            "share: .*less than",
        ),
        (
            "[feed]\nbalance_exposure = true\nobjective = 'expected_value'\n",
            "balance_exposure: its offsets belong to scores",
        ),
        (
            "[feed]\nbalance_exposure = true\nexploration = { method = 'plackett_luce', share = 0.1 }\n",
            "balance_exposure: clicks on its answers .* leave out exploration",
        ),
        (
            "[feed]\ndiversity = 0.1\nexploration = { method = 'plackett_luce', share = 0.1 }\n",
            "exploration: the probabilities of its places are not known with diversity",
        ),
        ("feed = 3\n", r"feed: expected a table \[feed\]"),
        ("[feed\n", "expected a readable TOML file"),
    ],
)
def test_an_error_lists_the_key_and_the_allowed_values(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        load_scenarios(file)
    assert str(file) in str(caught.value)


def test_the_error_of_a_missing_file_contains_its_path(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere\.toml: expected a readable TOML file"):
        load_scenarios(tmp_path / "nowhere.toml")
