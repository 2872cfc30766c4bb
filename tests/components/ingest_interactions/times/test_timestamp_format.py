"""Reading times: every form that files have, with its zone, and an error for those that are ambiguous."""

from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from duckdb import DuckDBPyRelation

from components.errors import StepError
from components.ingest_interactions.times.time_format import TimeFormat
from components.ingest_interactions.times.time_options import TimeOptions
from components.ingest_interactions.times.timestamp_format import detect

CONNECTION = duckdb.connect()
CONNECTION.execute("SET TimeZone = 'UTC'")

NOON = "2024-01-31 12:00:00"
NOON_TYPED = datetime(2024, 1, 31, 12, tzinfo=UTC)


def read(cells: Any, **options: Any) -> tuple[list[str | None], TimeFormat]:
    """Return the times of a column as text in UTC, and the format that was detected."""
    relation, found = detected(cells, options)
    invalid = relation.filter(found.invalid).aggregate("count(*)").fetchall()[0][0]
    assert invalid == 0, f"{invalid} invalid cells: {found.expected}"
    rows = relation.select(f"source_row, {found.sql} AS micros").order("source_row").fetchall()
    return [None if micros is None else text(micros) for _, micros in rows], found


def detected(cells: Any, options: dict[str, Any]) -> tuple[DuckDBPyRelation, TimeFormat]:
    column = cells if isinstance(cells, pa.Array) else pa.array(cells)
    table = pa.table({"source_row": range(1, len(column) + 1), "timestamp": column})
    relation = CONNECTION.from_arrow(table)
    return relation, detect(relation, "timestamp", "log.csv", TimeOptions(**options))


def text(micros: int) -> str:
    moment = datetime.fromtimestamp(micros // 1_000_000, UTC)
    fraction = f".{micros % 1_000_000:06}".rstrip("0").rstrip(".")
    return f"{moment:%Y-%m-%d %H:%M:%S}{fraction}"


def invalid_rows(cells: Any, **options: Any) -> list[int]:
    relation, found = detected(cells, options)
    return [row for (row,) in relation.filter(found.invalid).select("source_row").fetchall()]


@pytest.mark.parametrize(
    "cell",
    [
        "2024-01-31 12:00:00",
        "2024-01-31T12:00:00Z",
        "2024-01-31T12:00:00.000Z",
        "2024-01-31t12:00:00z",
        "2024-01-31 12:00",
        "2024-1-31 12:00:00",
        "2024/01/31 12:00:00",
        "2024.01.31 12:00:00",
        "2024-01-31_12:00:00",
        "2024年1月31日 12:00",
        "2024-01-31 12:00:00 UTC",
        "2024-01-31 12:00:00.000000 UTC",
        "2024-01-31 12:00:00+00:00",
        "2024-01-31 14:00:00+0200",
        "2024-01-31 14:00:00 +02:00",
        "2024-01-31T14:00:00+02",
        "2024-01-31T07:00:00-0500",
        "2024-01-31 17:30:00+05:30",
        "2024-01-31 17:30:00+0530",
        "2024-01-31 13:00:00 CET",
        "2024-01-31 07:00:00 EST",
        "2024-01-31 13:00:00 Europe/Paris",
        "2024-01-31T13:00:00+01:00[Europe/Paris]",
        "2024-01-31 12:00:00 +0000 UTC",
        "2024-01-31 14:00:00.000 +0200 EET",
        "20240131-120000",
        "20240131T120000Z",
        "20240131T130000+0100",
        "20240131 12:00:00",
        "31/01/2024 12:00:00",
        "31.01.2024 12:00",
        "31. 1. 2024 12:00",
        "31-01-2024 12:00:00",
        "01/31/2024 12:00:00 PM",
        "1/31/2024, 12:00:00 PM",
        "1/31/2024, 12:00:00\u202fPM",
        "01/31/2024 12:00 p.m.",
        "31 Jan 2024 12:00:00",
        "31-JAN-2024 12:00:00",
        "31JAN2024:12:00:00",
        "31/Jan/2024:12:00:00 +0000",
        "31 January 2024 at 12:00",
        "31st of January 2024 12:00",
        "January 31, 2024 12:00 PM",
        "Jan 31, 2024 @ 12:00:00.000",
        "Jan 31 2024 12:00PM",
        "Wed, 31 Jan 2024 12:00:00 +0000",
        "Wed, 31 Jan 2024 12:00:00 GMT",
        "Wednesday, January 31, 2024 12:00:00 PM",
        "Wed Jan 31 12:00:00 2024",
        "Wed Jan 31 12:00:00 UTC 2024",
        "Wed Jan 31 12:00:00 +0000 2024",
        "Wed Jan 31 2024 13:00:00 GMT+0100 (Central European Standard Time)",
        "2024-Jan-31 12:00:00",
        "1706702400",
        "1706702400.0",
        "1706702400000",
        "1706702400000000",
        "1706702400000000000",
        "1.7067024e9",
        "20240131120000",
        "202401311200",
        "20240131120000000",
        "45322.5",
        "45322,5",
        " 2024-01-31 12:00:00 ",
    ],
)
def test_one_time_is_read_in_every_spelling(cell: str) -> None:
    times, _ = read([cell, cell])
    assert times == [NOON, NOON]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2024-01-31 12:00:00.123", "2024-01-31 12:00:00.123"),
        ("2024-01-31 12:00:00,123", "2024-01-31 12:00:00.123"),
        ("2024-01-31T12:00:00.123456789Z", "2024-01-31 12:00:00.123456"),
        ("1706702400.25", "2024-01-31 12:00:00.25"),
        ("1706702400123456789", "2024-01-31 12:00:00.123456"),
        ("01/31/2024 12:30 AM", "2024-01-31 00:30:00"),
        ("01/31/2024 1:30 PM", "2024-01-31 13:30:00"),
        ("01/31/2024 01:30:15 am", "2024-01-31 01:30:15"),
        ("2016-12-31 23:59:60", "2016-12-31 23:59:59"),
        ("2024-01-31 24:00:00", "2024-02-01 00:00:00"),
        ("2024-01-31", "2024-01-31 00:00:00"),
        ("20240131", "2024-01-31 00:00:00"),
        ("31/01/2024", "2024-01-31 00:00:00"),
        ("2024-01-31+01:00", "2024-01-30 23:00:00"),
        ("202401", "2024-01-01 00:00:00"),
        ("2040013112", "2040-01-31 12:00:00"),
    ],
)
def test_parts_of_a_second_halves_of_a_day_and_dates_are_kept(cell: str, expected: str) -> None:
    assert read([cell])[0] == [expected]


def test_fourteen_digits_are_a_date_and_not_the_year_2611() -> None:
    times, found = read(pa.array([20240131120000, 20231231235959]))
    assert times == [NOON, "2023-12-31 23:59:59"]
    assert "YYYYMMDDHHMMSS" in found.label


def test_a_bad_date_among_dates_in_digits_is_invalid_and_no_number_of_another_kind() -> None:
    cells = [*["20240131"] * 20, "20240199"]
    assert invalid_rows(cells) == [21]


def test_epoch_numbers_of_several_units_are_each_read_by_their_size() -> None:
    times, found = read(["1706702400", "1706702400", "1706702400", "1706702400000"])
    assert times == [NOON] * 4
    assert "epoch seconds, and some epoch milliseconds" in found.label


def test_unambiguous_spellings_may_be_mixed() -> None:
    times, found = read(["2024-01-31", "31 Jan 2024 12:00", "2024-01-31T12:00:00Z"])
    assert times == ["2024-01-31 00:00:00", NOON, NOON]
    assert "2 of 3 without an offset, read as UTC" in found.label


def test_missing_times_stay_missing() -> None:
    cells = [None, "", "0000-00-00 00:00:00", "2024-01-31 12:00:00"]
    assert read(cells)[0] == [None, None, None, NOON]
    assert read(pa.array([float("nan"), 1706702400.0]))[0] == [None, NOON]
    assert read(pa.array([None, None], pa.string()))[0] == [None, None]


class TestDayAndMonth:
    def test_a_day_above_12_anywhere_in_the_column_decides(self) -> None:
        times, found = read([*["02/03/2024"] * 10_050, "31/01/2024"])
        assert times[0] == "2024-03-02 00:00:00"
        assert "day first (row 10051: 31/01/2024)" in found.label
        times, found = read(["02/03/2024", "01/31/2024"])
        assert times[0] == "2024-02-03 00:00:00"
        assert "month first (row 2: 01/31/2024)" in found.label

    @pytest.mark.parametrize("cell", ["02/03/2024", "02-03-2024 10:00"])
    def test_ambiguous_dates_are_refused_with_the_options(self, cell: str) -> None:
        with pytest.raises(StepError, match=rf"row 1: timestamp is '{cell}'.*--day-first or --month"):
            read([cell, cell])

    def test_the_options_decide(self) -> None:
        assert read(["02/03/2024"], day_first=True)[0] == ["2024-03-02 00:00:00"]
        assert read(["02/03/2024"], day_first=False)[0] == ["2024-02-03 00:00:00"]

    def test_dates_with_dots_have_the_day_first_and_this_is_told(self) -> None:
        times, found = read(["02.03.2024"])
        assert times == ["2024-03-02 00:00:00"]
        assert "day first, the usual order with dots (--month-first" in found.label

    def test_both_orders_are_refused_with_a_row_of_each(self) -> None:
        with pytest.raises(StepError, match=r"both orders: row 2 is '31/01/2024', row 3 is '01/30/2024'"):
            read(["02/03/2024", "31/01/2024", "01/30/2024"])

    def test_a_cell_of_the_other_order_is_invalid(self) -> None:
        assert invalid_rows(["02/03/2024", "01/31/2024"], day_first=True) == [2]

    @pytest.mark.parametrize(
        ("cell", "advice"),
        [
            ("31/01/24", "'%d/%m/%y'"),
            ("1/31/24 12:00", "'%m/%d/%y %H:%M'"),
            ("24-01-31 12:00:00", "'%y-%m-%d %H:%M:%S'"),
            ("24-01-31", "'%y-%m-%d'"),
            ("31-JAN-24", "'%d-%b-%y'"),
        ],
    )
    def test_two_digit_years_are_refused_with_the_option(self, cell: str, advice: str) -> None:
        with pytest.raises(StepError, match=rf"row 2: .*the year has two digits.*--time-format {advice}"):
            read([None, cell])
        (time,) = read([cell], time_format=advice.strip("'"))[0]
        assert time is not None
        assert time.startswith("2024-01-31")


class TestTimeZone:
    def test_times_without_an_offset_are_utc_and_this_is_told(self) -> None:
        times, found = read([NOON])
        assert times == [NOON]
        assert "without an offset, read as UTC (--timezone names another zone)" in found.label

    @pytest.mark.parametrize(
        "cells",
        [
            ["2024-07-31 13:00:00"],
            ["31/07/2024 13:00"],
            ["Jul 31, 2024 1:00 PM"],
            [20240731130000],
            [45504.541666666664],
            pa.array([datetime(2024, 7, 31, 13)], pa.timestamp("ns")),
            pa.array([datetime(2024, 7, 31, 13)], pa.timestamp("s")),
        ],
    )
    def test_the_stated_zone_holds_for_every_form_without_an_offset(self, cells: Any) -> None:
        times, found = read(cells, timezone="Europe/London")
        assert times == ["2024-07-31 12:00:00"]
        assert found.label.endswith("without an offset, read as Europe/London")

    def test_a_stated_zone_does_not_shift_times_with_an_offset(self) -> None:
        for cells in (
            ["2024-01-31T12:00:00Z"],
            [1706702400],
            pa.array([datetime(2024, 1, 31, 12, tzinfo=UTC)]),
        ):
            assert read(cells, timezone="Asia/Tokyo")[0] == [NOON]
            assert "--timezone is not used" in read(cells, timezone="Asia/Tokyo")[1].label

    def test_dates_start_at_midnight_of_the_stated_zone(self) -> None:
        expected = ["2024-07-30 22:00:00"]
        assert read(["2024-07-31"], timezone="Europe/Berlin")[0] == expected
        day = pa.array([datetime(2024, 7, 31)]).cast(pa.date32())
        assert read(day, timezone="Europe/Berlin")[0] == expected

    def test_times_that_the_clocks_skip_or_repeat_are_told(self) -> None:
        cells = ["2024-03-31 00:30:00", "2024-03-31 01:30:00", "2024-10-27 01:30:00", "2024-10-27 02:30:00"]
        times, found = read(cells, timezone="Europe/London")
        assert times == [
            "2024-03-31 00:30:00",
            "2024-03-31 01:30:00",
            "2024-10-27 01:30:00",
            "2024-10-27 02:30:00",
        ]
        assert found.notes == (
            "has 1 times such as '2024-03-31 01:30:00' (row 2) that do not exist in Europe/London, because "
            "the clocks skip them; read as one hour later",
            "has 1 times such as '2024-10-27 01:30:00' (row 3) that come twice in Europe/London, because "
            "the clocks go back; read as the second",
        )
        assert read(cells)[1].notes == ()

    def test_an_abbreviation_with_several_meanings_needs_the_zone(self) -> None:
        cells = ["2024-07-31 13:00:00 BST", "2024-01-31 12:00:00 GMT"]
        with pytest.raises(StepError, match=r"row 1: .*BST is no time zone with one meaning.*--timezone"):
            read(cells)
        assert read(cells, timezone="Europe/London")[0] == ["2024-07-31 12:00:00", NOON]

    def test_the_names_of_zones_may_differ_from_row_to_row(self) -> None:
        cells = [*["2024-01-31 12:00:00 UTC"] * 10_001, "2024-01-31 13:00:00 Europe/Paris"]
        assert invalid_rows(cells) == [10_002], "an unknown name after the sample was guessed"
        cells = ["2024-01-31 21:00:00 Asia/Tokyo", *cells]
        assert set(read(cells)[0]) == {NOON}


class TestStatedFormat:
    def test_a_strptime_format_reads_text_and_numbers(self) -> None:
        assert read(["12h00 on 31.1.24"], time_format="%Hh%M on %d.%m.%y")[0] == [NOON]
        assert read([240131], time_format="%y%m%d")[0] == ["2024-01-31 00:00:00"]
        assert read([240131.0], time_format="%y%m%d")[0] == ["2024-01-31 00:00:00"]
        assert read(["31.01.2024 14:00 +0200"], time_format="%d.%m.%Y %H:%M %z")[0] == [NOON]
        assert read(["31.07.2024 14:00"], time_format="%d.%m.%Y %H:%M", timezone="Europe/Paris")[0] == [
            "2024-07-31 12:00:00"
        ]

    def test_a_cell_of_another_format_is_invalid(self) -> None:
        assert invalid_rows(["31.1.2024", "2024-01-31"], time_format="%d.%m.%Y") == [2]

    @pytest.mark.parametrize(
        ("time_format", "cell", "expected"),
        [
            ("s", "50000000", "1971-08-02 16:53:20"),
            ("ms", "50000000000", "1971-08-02 16:53:20"),
            ("us", "50000000000000", "1971-08-02 16:53:20"),
            ("ns", "50000000000000000", "1971-08-02 16:53:20"),
            ("days", "19753", "2024-01-31 00:00:00"),
            ("excel", "20000.25", "1954-10-03 06:00:00"),
            ("order", "-3", "2000-01-01 00:00:00"),
        ],
    )
    def test_a_stated_unit_holds_for_numbers_of_any_size(
        self, time_format: str, cell: str, expected: str
    ) -> None:
        assert read([cell], time_format=time_format)[0] == [expected]

    def test_a_unit_for_text_is_an_error(self) -> None:
        with pytest.raises(StepError, match=r"row 1: .*'soon'; expected a number, because of --time"):
            read(["soon"], time_format="s")


class TestNumbersThatOnlyOrder:
    def test_whole_numbers_keep_their_order_and_this_is_told(self) -> None:
        times, found = read([3, 1, 2])
        assert times == ["2000-01-04 00:00:00", "2000-01-02 00:00:00", "2000-01-03 00:00:00"]
        assert "numbers from 1 to 3 without a unit: only their order counts, as days from" in found.label

    @pytest.mark.parametrize(("largest", "unit"), [(3_000, "days"), (60_000, "hours"), (10**6, "minutes")])
    def test_any_range_stays_within_ten_years(self, largest: int, unit: str) -> None:
        times, found = read([0, 1, largest])
        assert f"as {unit}" in found.label
        assert times[-1] is not None
        assert times[-1] < "2010-01-02"

    def test_a_range_with_all_numbers_counts_and_not_the_sample_alone(self) -> None:
        times, _ = read([*range(45_000, 0, -1), 5])
        assert times[-1] == "2000-01-01 05:00:00"

    def test_fractions_and_negative_numbers_are_refused(self) -> None:
        for cells in ([0.25, 0.5], [-5, 3]):
            with pytest.raises(StepError, match=r"row 1: .*no epoch number, Excel serial or date"):
                read(cells)

    def test_two_digit_years_in_digits_are_refused_with_the_options(self) -> None:
        with pytest.raises(StepError, match=r"YYMMDD.*--time-format %y%m%d, or --time-format order"):
            read([240131, 240201])


@pytest.mark.parametrize("cell", ["yesterday", "12:00:00", "31 Januar 2024", "2024-31-31 foo bar"])
def test_a_text_that_is_no_time_is_an_error_with_the_option(cell: str) -> None:
    with pytest.raises(
        StepError, match=r"log.csv: row 2: timestamp is .*expected a time such as.*--time-form"
    ):
        read([None, cell])


def test_impossible_dates_are_invalid() -> None:
    assert invalid_rows(
        ["2024-02-28", "2024-02-30", "2024-13-01", "2024-02-28 25:00", "2024-02-28 13:00 AM"]
    ) == [
        2,
        3,
        4,
        5,
    ]


def test_columns_of_other_types_are_refused() -> None:
    with pytest.raises(StepError, match=r"column timestamp has the type BOOLEAN"):
        read(pa.array([True]))
