"""How to read the user's files: options of a command, and a TOML with the same keys beside a file."""

import hashlib
import json
import re
import shlex
import tomllib
from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, StrictBool, ValidationError, field_validator

from components.errors import StepError
from components.ingest_interactions.times.time_options import TimeOptions, check_format, check_timezone
from feature_repo.filesystems import open_binary
from feature_repo.table_schemas import INTERACTIONS, ITEMS, USERS

# Table -> the field of Reading with its columns, and the option of the command.
COLUMNS_FIELD: Final = {"interactions": "columns", "items": "item_columns", "users": "user_columns"}
COLUMNS_OPTION: Final = {
    "interactions": "--columns",
    "items": "--item-columns",
    "users": "--user-columns",
}
ALLOWED: Final = {
    "columns": INTERACTIONS.names,
    "item_columns": ITEMS.names,
    "user_columns": USERS.names,
}


# The fields of Reading that say how a file is written.
FILE_FIELDS: Final = (
    "delimiter", "quote", "encoding", "header", "decimal", "sheet", "member", "compression",
)  # fmt: skip

# Raise this when the same file gives other rows than before: files that are given again are then read again.
VERSION: Final = 2

# Names of other sources: LOG and UNNAMED of warehouse.parts.
RESERVED_SOURCE: Final = re.compile("log|unnamed-.*")


class Reading(BaseModel):
    """The keys of the pipeline parameter `reading`, and of the TOML beside a file.

    Attributes:
        delimiter: what separates cells, such as ";" or "::"; "tab"; "blanks" for runs of blanks.
        quote: the quote character; "" for a file without quotes.
        encoding: a name that Python knows, such as "utf-16" or "windows-1252".
        header: whether the first line has the names of the columns.
        decimal: the decimal mark of numbers in text.
        sheet: the sheet of a workbook.
        member: the file in a zip or tar archive.
        compression: how the file is compressed.
        timezone: the IANA name of the zone of times without an offset.
        time_format: a strptime format, or what numbers are (times.time_options.NUMBER_FORMATS).
        day_first: whether 02/03/2024 is the second of March.
        source: the name of the source, instead of the file's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    # None: detect it.
    delimiter: str | None = None
    quote: str | None = None
    encoding: str | None = None
    header: StrictBool | None = None
    decimal: Literal[",", "."] | None = None
    sheet: str | None = None
    member: str | None = None
    compression: Literal["none", "gzip", "zstd", "bzip2", "xz", "zip", "tar"] | None = None
    timezone: str | None = None
    time_format: str | None = None
    day_first: StrictBool | None = None
    source: str | None = None

    # Column of the file -> column of the contract, "" to ignore it.
    columns: dict[str, str] = {}
    item_columns: dict[str, str] = {}
    user_columns: dict[str, str] = {}

    @field_validator("delimiter")
    @classmethod
    def _read_delimiter(cls, delimiter: str | None) -> str | None:
        return "\t" if delimiter in ("tab", "\\t") else delimiter

    @field_validator("timezone")
    @classmethod
    def _check_timezone(cls, timezone: str | None) -> str | None:
        return timezone and check_timezone(timezone)

    @field_validator("time_format")
    @classmethod
    def _check_time_format(cls, time_format: str | None) -> str | None:
        return time_format and check_format(time_format)

    @field_validator("source")
    @classmethod
    def _check_source(cls, source: str | None) -> str | None:
        if source is not None and (not source.isprintable() or RESERVED_SOURCE.fullmatch(source)):
            raise ValueError(f"--source {source!r}: expected printable text, not log and not unnamed-…")
        return source or None

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change with all that changes the rows of a file."""
        options = {"version": VERSION, **self.model_dump(exclude={"source"})}
        return hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def times(self) -> TimeOptions:
        return TimeOptions(self.timezone or "", self.time_format or "", self.day_first)

    @field_validator("columns", "item_columns", "user_columns")
    @classmethod
    def _check_columns(cls, columns: dict[str, str], info: Any) -> dict[str, str]:
        allowed = ALLOWED[info.field_name]
        for source, name in columns.items():
            if name and name not in allowed and info.field_name == "columns":
                raise ValueError(f"{source}={name}: expected a column of {', '.join(allowed)}")
        targets = [name for name in columns.values() if name]
        if repeated := sorted({name for name in targets if targets.count(name) > 1}):
            raise ValueError(f"more than one column for {', '.join(repeated)}")
        return columns

    def columns_of(self, table: str) -> dict[str, str]:
        """Return the given columns of interactions, items or users."""
        columns: dict[str, str] = getattr(self, COLUMNS_FIELD[table])
        return columns

    @classmethod
    def parse(cls, options: Mapping[str, Any], origin: str) -> "Reading":
        """Check the options.

        Args:
            origin: where they come from, in error messages.

        Raises:
            StepError: a key is unknown, or a value is not allowed.
        """
        try:
            return cls.model_validate(dict(options))
        except ValidationError as error:
            problems = "; ".join(_problem(problem) for problem in error.errors())
            raise StepError(f"{origin}: {problems}") from error


def reading_of(
    url: str, table: str, options: Mapping[str, Any], kept: Mapping[str, Any] | None = None
) -> Reading:
    """Return the options for one file: those of the TOML beside it, and over them `kept`, then `options`.

    The TOML is `url` + ".toml"; its `columns` are about the table of its own file.

    Args:
        kept: what `options_to_keep` returned when the source was read before.

    Raises:
        StepError: the TOML is damaged, or has a key or value that is not allowed.
    """
    beside = _read_toml(f"{url}.toml")
    if beside and table != "interactions" and "columns" in beside:
        beside[COLUMNS_FIELD[table]] = beside.pop("columns")
    if beside:
        Reading.parse(beside, f"{url}.toml")
    return Reading.parse(_merge(_merge(beside, kept or {}), options), "the reading options")


def options_to_keep(table: str, kept: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a source for its next content: `given`, and `kept` where nothing is given."""
    other_tables = {field for name, field in COLUMNS_FIELD.items() if name != table}
    return {
        name: value
        for name, value in _merge(kept, given).items()
        if name not in other_tables | {"source"} and value not in (None, {})
    }


def options_text(options: Mapping[str, Any]) -> str:
    """Return options as they are typed, such as "--timezone Europe/London --columns who=user_id"."""
    words: list[str] = []
    for name, value in options.items():
        table = next((table for table, field in COLUMNS_FIELD.items() if field == name), None)
        if table:
            words += [COLUMNS_OPTION[table], ",".join(f"{source}={name}" for source, name in value.items())]
        elif name == "day_first":
            words.append("--day-first" if value else "--month-first")
        elif name in FILE_FIELDS:
            words += ["--reading", f"{name}={str(value).lower() if isinstance(value, bool) else value}"]
        else:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(words)


def _merge(options: Mapping[str, Any], newer: Mapping[str, Any]) -> dict[str, Any]:
    """Return both; a newer option replaces one of its name, and a column those of its source or target."""
    merged = {**options, **newer}
    for field in ALLOWED:
        old, new = options.get(field, {}), newer.get(field, {})
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            targets = {name for name in new.values() if name}
            merged[field] = {source: name for source, name in old.items() if name not in targets} | dict(new)
    return merged


def _read_toml(url: str) -> dict[str, Any]:
    """Return the content; {} if there is no such file. A web server may answer with a page instead."""
    if url.startswith(("http://", "https://")):
        return {}
    try:
        with open_binary(url) as file:
            return tomllib.load(file)
    except (FileNotFoundError, ImportError):
        # A file system that is not installed is reported for the file itself.
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StepError(f"{url}: not a TOML file ({error}); correct it or remove it") from error


def _problem(problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"unknown key {key!r}; expected one of {', '.join(Reading.model_fields)}"
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{key}: {message}"
