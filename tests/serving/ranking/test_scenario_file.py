"""A file of scenarios is read whole or refused with the key and what is allowed."""

from pathlib import Path

import pytest

from serving.ranking.scenarios import FrequencyCap, Scenario, load_scenarios


def test_the_shipped_ones_are_the_four() -> None:
    scenarios = load_scenarios()
    assert sorted(scenarios) == ["ads", "content", "email", "social"]
    assert scenarios["email"].frequency_cap == FrequencyCap(impressions=1, days=7)
    assert scenarios["social"].sources == ("followed",)
    assert not Scenario().arranges


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
        ("feed = 3\n", r"feed: expected a table \[feed\]"),
        ("[feed\n", "expected a readable TOML file"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        load_scenarios(file)
    assert str(file) in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere\.toml: expected a readable TOML file"):
        load_scenarios(tmp_path / "nowhere.toml")
