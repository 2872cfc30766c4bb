"""Options that say how a file is read come from the command and from a TOML beside the file."""

from pathlib import Path

import pytest

from components.errors import StepError
from components.ingest_interactions.reading import Reading, options_text, options_to_keep, reading_of
from components.ingest_interactions.times.time_options import TimeOptions


def test_an_option_replaces_a_column_of_the_toml_beside_the_file(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    (tmp_path / "log.csv.toml").write_text('[columns]\nvisitor = "user_id"\nthing = "item_id"\n')
    given = {"columns": {"member": "user_id"}}

    reading = reading_of(str(file), "interactions", given)

    assert reading.columns_of("interactions") == {"thing": "item_id", "member": "user_id"}


def test_columns_of_a_toml_are_about_the_table_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "things.csv.toml").write_text('[columns]\nsku = "item_id"\n')

    reading = reading_of(str(tmp_path / "things.csv"), "items", {"columns": {"who": "user_id"}})

    assert reading.columns_of("items") == {"sku": "item_id"}
    assert reading.columns_of("interactions") == {"who": "user_id"}


def test_times_are_described_by_option_or_toml(tmp_path: Path) -> None:
    (tmp_path / "log.csv.toml").write_text('timezone = "europe/paris"\nday_first = true\n')
    times = reading_of(str(tmp_path / "log.csv"), "interactions", {"timezone": "Asia/Tokyo"}).times
    assert times == TimeOptions("Asia/Tokyo", "", True)


def test_a_tab_has_a_name_in_the_toml_as_in_the_option(tmp_path: Path) -> None:
    (tmp_path / "log.txt.toml").write_text('delimiter = "tab"\n')
    beside = reading_of(str(tmp_path / "log.txt"), "interactions", {})
    assert beside.delimiter == "\t"
    assert beside.fingerprint == Reading(delimiter="\t").fingerprint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("timezone = 'Berlin'", r"log.csv.toml: timezone: --timezone Berlin: unknown.*Europe/Berlin"),
        ("time_format = '%H'", r"log.csv.toml: time_format: .*no date"),
        ("day_first = 1", r"log.csv.toml: day_first: .*boolean"),
        ("colums = 1", r"log.csv.toml: unknown key 'colums'; expected one of .*delimiter.*columns"),
        ("columns = 1", r"log.csv.toml: columns: .*dictionary"),
        ("[columns]\nwho = 'user'", r"columns: who=user: expected a column of interaction_id, user_id"),
        ("[columns]\na = 'user_id'\nb = 'user_id'", "more than one column for user_id"),
        ("[columns", r"log.csv.toml: not a TOML file"),
    ],
)
def test_a_wrong_toml_is_refused_with_its_name(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "log.csv.toml").write_text(text)
    with pytest.raises(StepError, match=message):
        reading_of(str(tmp_path / "log.csv"), "interactions", {})


def test_numbers_from_a_pipeline_parameter_are_refused_as_columns() -> None:
    with pytest.raises(StepError, match=r"the options: columns\.who: .*string"):
        Reading.parse({"columns": {"who": 1.0}}, "the options")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('header = "no"', r"header: .*boolean"),
        ('compression = "rar"', r"compression: .*'gzip', 'zstd'"),
        ('decimal = ";"', r"decimal: .*',' or '.'"),
    ],
)
def test_an_option_about_the_file_has_one_of_the_allowed_values(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "log.csv.toml").write_text(text)
    with pytest.raises(StepError, match=rf"log.csv.toml: {message}"):
        reading_of(str(tmp_path / "log.csv"), "interactions", {})


def test_the_toml_is_the_one_with_the_name_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "log1.csv.toml").write_text('delimiter = ";"')
    assert reading_of(str(tmp_path / "log[1].csv"), "interactions", {}).delimiter is None
    (tmp_path / "log[1].csv.toml").write_text('delimiter = "|"')
    assert reading_of(str(tmp_path / "log[1].csv"), "interactions", {}).delimiter == "|"


def test_no_toml_is_asked_for_beside_a_web_address() -> None:
    assert reading_of("http://127.0.0.1:9/log.csv?key=1", "interactions", {}) == Reading()


def test_kept_options_come_before_the_toml_and_after_given_ones(tmp_path: Path) -> None:
    (tmp_path / "log.csv.toml").write_text('timezone = "europe/paris"\ndecimal = ","\nencoding = "utf-8"\n')
    kept = {"timezone": "Asia/Tokyo", "decimal": "."}
    reading = reading_of(str(tmp_path / "log.csv"), "interactions", {"timezone": "UTC"}, kept)
    assert (reading.timezone, reading.decimal, reading.encoding) == ("UTC", ".", "utf-8")


def test_a_source_keeps_what_is_about_its_table_and_not_its_name() -> None:
    kept = {"columns": {"member": "user_id", "thing": "item_id"}, "header": False}
    given = {"columns": {"who": "user_id"}, "item_columns": {"id": "item_id"}, "source": "shop"}
    options = options_to_keep("interactions", kept, given)
    assert options == {"columns": {"thing": "item_id", "who": "user_id"}, "header": False}
    assert options_to_keep("items", {}, given) == {"item_columns": {"id": "item_id"}}
    text = "--columns thing=item_id,who=user_id --reading header=false"
    assert options_text(options) == text
    assert options_text({"day_first": False, "time_format": "%d %m"}) == "--month-first --time-format '%d %m'"
