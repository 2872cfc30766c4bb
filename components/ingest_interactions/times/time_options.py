"""What the user states about the times of a file: time zone, format, order of day and month."""

import difflib
import re
from dataclasses import dataclass
from typing import Final

from components.ingest_interactions.times.time_zones import zone_names

# Values of --time-format for numbers.
NUMBER_FORMATS: Final = ("s", "ms", "us", "ns", "days", "excel", "order")

# The directives that DuckDB's strptime knows, and those that say which day it is.
DIRECTIVES: Final = frozenset("aAbBcdfgHIjmMnpSUuwWxXyYzZ%")
YEARS, DAYS = frozenset("yYcx"), frozenset("djcxmUW")


@dataclass(frozen=True)
class TimeOptions:
    """How to read times.

    Args:
        timezone: IANA name of the zone of times without an offset; "" is UTC, because none was stated.
        time_format: a strptime format, or one of NUMBER_FORMATS; "" is detected.
        day_first: whether 02/03/2024 is the second of March; None is decided by the other dates.
    """

    timezone: str = ""
    time_format: str = ""
    day_first: bool | None = None

    @property
    def zone(self) -> str:
        return self.timezone or "UTC"


def check_timezone(name: str) -> str:
    """Return an IANA name in its usual spelling.

    Raises:
        ValueError: the name is unknown; the message has similar ones.
    """
    known = zone_names()
    if not name or name.lower() in known:
        return known.get(name.lower(), "")
    near = difflib.get_close_matches(name.lower(), known, 3)
    near = near or [zone for zone in known if zone.rpartition("/")[2] == name.lower().replace(" ", "_")][:3]
    similar = f" Similar names: {', '.join(known[zone] for zone in near)}." if near else ""
    raise ValueError(
        f"--timezone {name}: unknown time zone; expected an IANA name such as Europe/London.{similar}"
    )


def check_format(time_format: str) -> str:
    """Return the format.

    Raises:
        ValueError: it has an unknown directive, or none for the year and the day.
    """
    if not time_format or time_format in NUMBER_FORMATS:
        return time_format
    directives = set(re.findall(r"%-?(.?)", time_format.replace("%%", "")))
    if unknown := directives - DIRECTIVES:
        raise ValueError(f"--time-format {time_format!r}: unknown directive %{min(unknown)}; {_allowed()}")
    if not (directives & YEARS and directives & DAYS):
        raise ValueError(f"--time-format {time_format!r}: it has no date; {_allowed()}")
    return time_format


def _allowed() -> str:
    return (
        "expected a strptime format such as '%d/%m/%Y %H:%M', or for numbers one of "
        f"{', '.join(NUMBER_FORMATS)} (epoch seconds to ns, epoch days, Excel serials, only an order)"
    )
