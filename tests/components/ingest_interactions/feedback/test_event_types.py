"""Event types and ratings of the sources: their meaning is told, and asked for where it is unknown."""

from pathlib import Path
from typing import Any

import pytest

from components.errors import StepError
from components.ingest_interactions.warehouse.manifest import Warehouse
from feature_repo.event_types import IMPRESSION, Kind
from feature_repo.interaction import Interaction
from serving.user_data.interaction_log import InteractionLog

HEADER = "user_id,item_id,timestamp,event_type,value\n"
TIME = 1_700_000_000


def rows(*events: tuple[str, Any]) -> str:
    """Return a file with one interaction a minute: event type and value."""
    lines = (f"ann,item-{n},{TIME + 60 * n},{event},{value}\n" for n, (event, value) in enumerate(events))
    return HEADER + "".join(lines)


def ingest(home: Any, *events: tuple[str, Any], name: str = "log.csv", **options: Any) -> None:
    home.ingest(options, interactions_file=home.write(name, rows(*events)))


def event_types(home: Any) -> list[str]:
    return [row["event_type"] for row in home.rows("interactions")]


def test_spellings_become_known_event_types_and_the_table_tells_it(
    home: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    ingest(home, ("Add-To-Cart", ""), ("add_to_cart", ""), ("purchase", 9.5), ("Impression", ""))
    assert event_types(home) == ["cart", "cart", "purchase", IMPRESSION]
    table = [line.split() for line in capsys.readouterr().out.splitlines()]
    found = [line[1:] for line in table if "cart" in line]
    assert found == [["cart", "Add-To-Cart,", "add_to_cart", "2", "positive", "1"]]


def test_unknown_event_types_of_a_file_are_refused_with_the_options_that_answer(home: Any) -> None:
    with pytest.raises(
        StepError,
        match=r"'unbox' \(2 rows\), 'lend' \(1 row\)\. Say.*--positive unbox.*--exposure unbox",
    ):
        ingest(home, ("unbox", ""), ("lend", ""), ("unbox", ""), ("view", ""))
    assert not Warehouse(str(home.warehouse)).watermarks.parts


def test_options_answer_are_kept_and_can_be_changed(home: Any) -> None:
    kinds = {"unbox": "positive", "lend": "neutral"}
    ingest(home, ("unbox", ""), ("lend", ""), kinds=kinds, weights={"unbox": 3})
    home.ingest()
    assert home.feedback.kinds == {"unbox": Kind.POSITIVE, "lend": Kind.NEUTRAL}
    assert home.feedback.weights == {"unbox": 3}
    home.ingest({"kinds": {"unbox": "negative"}, "min_value": 3.0})
    assert home.feedback.kinds == {"unbox": Kind.NEGATIVE, "lend": Kind.NEUTRAL}
    assert home.feedback.weights == {}


def test_all_positive_needs_no_answer_and_can_be_taken_back(home: Any) -> None:
    ingest(home, ("unbox", ""), all_positive=True)
    assert home.feedback.all_positive
    with pytest.raises(StepError, match="'unbox'"):
        home.ingest({"all_positive": False})


def test_event_types_named_as_exposures_become_impressions(home: Any) -> None:
    ingest(home, ("listed", ""), ("click", ""), kinds={"listed": "exposure"})
    assert event_types(home) == [IMPRESSION, "click"]


def test_unknown_recorded_event_types_are_neutral_and_told(
    home: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = InteractionLog(f"sqlite:///{tmp_path / 'log.db'}")
    log.record([Interaction("1", "ann", "tea", "unbox", TIME * 1_000_000)])
    log.close()
    home.ingest(interaction_log=f"sqlite:///{tmp_path / 'log.db'}")
    assert home.feedback.kind("unbox") is Kind.NEUTRAL
    assert "neutral (unknown; --positive unbox or --negative unbox says otherwise)" in capsys.readouterr().out


def test_the_rating_scale_is_learned_and_told(home: Any, capsys: pytest.CaptureFixture[str]) -> None:
    ingest(home, *(("rating", value) for value in (1, 2, 3, 4, 5, 5)))
    scale = home.feedback.ratings
    assert (scale.low, scale.high, round(scale.mean, 2)) == (1, 5, 3.33)
    told = "ratings from 1 to 5, mean 3.33: liking begins at each user's own mean, between 1.50 and 4.00"
    assert told in capsys.readouterr().out


def test_a_given_threshold_is_kept_told_and_unset_by_auto(
    home: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    ingest(home, *(("rate", value) for value in (1, 2, 3, 4, 5)), min_value=3.0)
    assert "liking begins at 3 (--min-value)" in capsys.readouterr().out
    home.ingest()
    assert home.feedback.ratings.like_from == 3
    home.ingest({"min_value": None})
    assert home.feedback.ratings.like_from is None


def test_amounts_among_ratings_are_told(home: Any, capsys: pytest.CaptureFixture[str]) -> None:
    ingest(home, *(("rate", value) for value in (1, 3, 20, 450, 12_000)))
    assert home.feedback.ratings is None
    assert "values of 'rate' are amounts, 1 to 12000, and no rating scale" in capsys.readouterr().out


def test_a_threshold_without_ratings_is_told_to_have_no_effect(
    home: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    ingest(home, ("view", ""), min_value=3.0)
    assert "--min-value 3 has no effect" in capsys.readouterr().out
