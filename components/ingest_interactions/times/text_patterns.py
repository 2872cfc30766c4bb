"""Regular expressions for times that are written as text; RE2 and Python read them alike."""

import re
from typing import Final

_MONTHS: Final = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    "nov(?:ember)?|dec(?:ember)?"
)
_MONTH: Final = rf"(?P<month>{_MONTHS})\.?"
_DAY: Final = r"(?P<day>\d{1,2})"
_YEAR: Final = r"(?P<year>\d{4})"
_WEEKDAY: Final = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?\s+)?"
_CLOCK: Final = (
    r"(?P<hour>\d{1,2})[:.](?P<minute>\d\d)(?:[:.](?P<second>\d\d)(?:[.,:](?P<fraction>\d+))?)?"
    r"(?:\s*(?P<half>[ap])\.?m\.?)?"
)
_TIME: Final = rf"(?:(?:\s*T\s*|\s*,?\s+(?:at\s+|@\s*)?|[_:]){_CLOCK})?"
_ZONE: Final = (
    r"(?:\s*(?:(?:UTC|GMT)?(?P<sign>[+\-])(?P<offset_hours>\d\d?):?(?P<offset_minutes>\d\d)?(?:\s+[A-Z]{3,4})?"
    r"|(?P<zone>[a-z][a-z_/+\-0-9]*)))?(?:\s*(?:\(.*\)|\[.*\]))?"
)

ISO: Final = "ISO 8601 text"
COMPACT: Final = "ISO 8601 basic text"
NUMERIC: Final = "day, month and year"
DAY_NAME_YEAR: Final = "day, month name, year"
NAME_DAY_YEAR: Final = "month name, day, year"
YEAR_NAME_DAY: Final = "year, month name, day"
YEAR_LAST: Final = "month name, day, time, year"

# Name -> pattern. NUMERIC has day and month in an unknown order.
PATTERNS: Final = {
    name: re.compile(f"^(?i:{_WEEKDAY}{pattern})$")
    for name, pattern in {
        ISO: rf"{_YEAR}[-/.年](?P<month>\d{{1,2}})[-/.月]{_DAY}日?{_TIME}{_ZONE}",
        COMPACT: rf"{_YEAR}(?P<month>\d\d)(?P<day>\d\d)(?:(?:T|\s+|[_\-])(?P<hour>\d\d):?(?P<minute>\d\d)"
        rf"(?::?(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?)?{_ZONE}",
        NUMERIC: r"(?P<first_number>\d{1,2})[-/.]\s?(?P<second_number>\d{1,2})[-/.]\s?"
        rf"{_YEAR}{_TIME}{_ZONE}",
        DAY_NAME_YEAR: rf"{_DAY}(?:st|nd|rd|th|\.)?(?:\s+of)?[\s\-/.]*{_MONTH}[\s\-/.,]*"
        rf"{_YEAR}{_TIME}{_ZONE}",
        NAME_DAY_YEAR: rf"{_MONTH}[\s\-.]*{_DAY}(?:st|nd|rd|th)?(?:\s*,\s*|[\s\-]+){_YEAR}{_TIME}{_ZONE}",
        YEAR_NAME_DAY: rf"{_YEAR}[\s\-/.]*{_MONTH}[\s\-/.]*{_DAY}{_TIME}{_ZONE}",
        YEAR_LAST: rf"{_MONTH}\s+{_DAY}\s+{_CLOCK}{_ZONE}\s+{_YEAR}",
    }.items()
}

# The usual spelling of a time without an offset, which DuckDB converts five times as fast.
PLAIN: Final = r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::[0-5]\d(?:[.]\d+)?)?)?"

# A date with two digits for the year, and what follows it.
TWO_DIGIT_YEAR: Final = re.compile(
    rf"^(?i:{_WEEKDAY}(\d{{1,2}})([-/.\s]+)(\d{{1,2}}|{_MONTHS})([-/.\s]+)(\d\d)(\D.*)?)$"
)

# A cell without a value: empty, a word that programs write for it, MySQL's zero.
_WORDS: Final = r"nan|nat|null|none|\\N|<na>|n/a|undefined|\(not set\)"
MISSING: Final = re.compile(rf"^(?i:|{_WORDS}|0000-00-00(?:[T ]00:00(?::00(?:[.]0+)?)?)?Z?)$")

NUMBER: Final = re.compile(r"^[+-]?\d+(?:[.,]\d*)?(?:[eE][+-]?\d+)?$")


def groups(pattern: re.Pattern[str]) -> list[str]:
    """Return the names of the groups in their order."""
    return sorted(pattern.groupindex, key=pattern.groupindex.__getitem__)
