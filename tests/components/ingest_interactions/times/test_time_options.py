"""Options about times: unknown zones and formats are refused, with what is allowed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from components.ingest_interactions.times.time_options import check_format, check_timezone
from components.ingest_interactions.times.time_zones import future_note

NOW = 1_700_000_000_000_000
HOUR = 3_600_000_000


def test_a_zone_is_found_in_any_case() -> None:
    assert check_timezone("europe/london") == "Europe/London"
    assert check_timezone("utc") == "UTC"
    assert check_timezone("") == ""


@pytest.mark.parametrize(
    ("name", "similar"),
    [("Europe/Londn", "Europe/London"), ("Berlin", "Europe/Berlin"), ("new york", "America/New_York")],
)
def test_an_unknown_zone_is_refused_with_similar_ones(name: str, similar: str) -> None:
    with pytest.raises(ValueError, match=rf"--timezone {name}: unknown.*IANA name.*{similar}"):
        check_timezone(name)


@pytest.mark.parametrize("name", ["localtime", "GMT+25", "+02:00"])
def test_a_zone_of_the_machine_or_an_offset_is_no_zone(name: str) -> None:
    with pytest.raises(ValueError, match="expected an IANA name such as Europe/London"):
        check_timezone(name)


@pytest.mark.parametrize("time_format", ["%d/%m/%Y", "%Y%m%d %H%M", "%y%j", "%-d.%-m.%Y", "excel", "ms", ""])
def test_formats_with_a_date_and_names_of_numbers_are_allowed(time_format: str) -> None:
    assert check_format(time_format) == time_format


@pytest.mark.parametrize(
    ("time_format", "problem"),
    [("%H:%M", "no date"), ("%Y-%m-%Q", "unknown directive %Q"), ("iso", "no date"), ("100%% %Y", "no date")],
)
def test_other_formats_are_refused_with_what_is_allowed(time_format: str, problem: str) -> None:
    with pytest.raises(ValueError, match=rf"{problem}; expected a strptime format such as .*s, ms, us, ns"):
        check_format(time_format)


class TestFuture:
    @pytest.mark.parametrize(("ahead", "words"), [(HOUR // 2, "0 h 30"), (5 * HOUR - 60_000_000, "4 h 59")])
    def test_the_newest_time_ahead_by_a_time_zone_is_suspected(self, ahead: int, words: str) -> None:
        note = future_note("timestamp", NOW + ahead, NOW)
        assert f"{words}" in note
        assert f"a zone {-(-ahead // HOUR)} h ahead of UTC" in note
        assert "--timezone" in note

    @pytest.mark.parametrize("ahead", [-HOUR, 0, 60_000_000, 15 * HOUR])
    def test_other_times_are_not(self, ahead: int) -> None:
        assert future_note("timestamp", NOW + ahead, NOW) == ""

    def test_a_column_without_times_is_not(self) -> None:
        assert future_note("timestamp", None, NOW) == ""


def test_a_file_of_local_times_is_suspected_when_it_is_ingested(
    home: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    newest = datetime.now(UTC) + timedelta(hours=1, minutes=50)
    file = home.write("log.csv", f"user_id,item_id,timestamp\nann,tea,{newest:%Y-%m-%d %H:%M:%S}\n")

    home.ingest(interactions_file=file)
    assert "log.csv: the newest timestamp is 1 h 4" in capsys.readouterr().out

    home.ingest(interactions_file=file, reading={"timezone": "Etc/GMT-2"})
    assert "in the future" not in capsys.readouterr().out
