"""Command-line options become pipeline parameters, or an error says what was expected."""

from pathlib import Path

import pytest

from components.ingest_interactions.reading import Reading
from pipelines.pipeline_arguments import (
    feedback_arguments,
    parse_hyperparameters,
    reading_arguments,
    source_arguments,
    training_arguments,
)
from pipelines.settings import load_settings


def test_the_number_of_workers_is_a_parameter(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, training_workers=3)
    assert training_arguments(settings, "time", 0.05, {})["training_workers"] == 3


def test_hyperparameters_keep_their_types() -> None:
    assert parse_hyperparameters(["epochs=5", "dropout=0.2", "encoder=gru", "xla=true"]) == {
        "epochs": 5,
        "dropout": 0.2,
        "encoder": "gru",
        "xla": True,
    }


def test_a_hyperparameter_without_a_value_is_refused() -> None:
    with pytest.raises(ValueError, match="--set epochs: expected NAME=VALUE"):
        parse_hyperparameters(["epochs"])


def test_an_unknown_hyperparameter_is_refused_with_the_allowed_names() -> None:
    with pytest.raises(ValueError, match=r"--set: unknown hyperparameter 'epochz': allowed are .*epochs"):
        parse_hyperparameters(["epochz=3"])


def test_files_become_absolute_paths() -> None:
    sources = source_arguments("", "interactions.csv", None, None)

    assert sources == {
        "dataset": "",
        "interactions_file": str(Path("interactions.csv").absolute()),
        "items_file": "",
        "users_file": "",
    }


def test_urls_stay_as_they_are() -> None:
    assert source_arguments("", "s3://bucket/a", None, None)["interactions_file"] == "s3://bucket/a"


def test_a_data_set_together_with_a_file_is_refused() -> None:
    with pytest.raises(ValueError, match="not both"):
        source_arguments("movielens-100k", "interactions.csv", None, None)


def test_a_catalog_may_be_given_alone() -> None:
    sources = source_arguments("", None, "items.csv", None)
    assert sources["items_file"] == str(Path("items.csv").absolute())
    assert sources["interactions_file"] == ""


def test_columns_are_parsed_from_pairs_and_from_json() -> None:
    given = reading_arguments(columns=["visitorid=user_id, itemid=item_id", '{"a,b": "value"}', "price="])

    assert given == {
        "reading": {
            "columns": {"visitorid": "user_id", "itemid": "item_id", "a,b": "value", "price": ""},
        }
    }


def test_options_that_are_not_given_are_left_out() -> None:
    assert reading_arguments(columns=None, item_columns=None) == {"reading": {}}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["visitorid"], "--columns visitorid: expected NAME=COLUMN"),
        (["visitorid=person"], "visitorid=person: expected a column of interaction_id, user_id"),
        (["a=user_id,b=user_id"], "more than one column for user_id"),
    ],
)
def test_wrong_columns_are_refused_before_the_run(columns: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        reading_arguments(columns=columns)


def test_feedback_options_become_one_parameter() -> None:
    arguments = feedback_arguments(["purchase=3,save"], ["dislike"], None, ["listed"], "3", None)
    kinds = {"purchase": "positive", "save": "positive", "dislike": "negative", "listed": "exposure"}
    assert arguments == {"feedback": {"kinds": kinds, "weights": {"purchase": 3.0}, "min_value": 3.0}}


def test_no_feedback_option_leaves_what_the_home_keeps() -> None:
    assert feedback_arguments(None, None, None, None, None, None) == {"feedback": {}}


def test_a_wrong_feedback_option_is_refused_before_the_run() -> None:
    with pytest.raises(ValueError, match="--positive purchase: 'x' is not a number"):
        feedback_arguments(["purchase=x"], None, None, None, None, None)


def test_options_about_files_are_parsed_to_their_types() -> None:
    given = ["delimiter=tab", "header=false", "quote=", "decimal=,"]

    reading = reading_arguments(files=given)["reading"]

    assert reading == {"delimiter": "tab", "header": False, "quote": "", "decimal": ","}
    assert Reading(**reading).delimiter == "\t"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("delimiter", "expected NAME=VALUE"),
        ("colour=red", "NAME is one of delimiter, quote"),
        ("header=no", "expected header=true or header=false"),
        ("decimal=x", "decimal: "),
    ],
)
def test_a_wrong_option_about_files_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        reading_arguments(files=[text])
