"""Reads MovieLens files in two layouts: tables with typed headers in wheels, and GroupLens' archives."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from duckdb import DuckDBPyConnection, DuckDBPyRelation

from components.ingest_interactions.duckdb_session import literal

Tables = dict[str, DuckDBPyRelation]

# Occupations are numbers in the MovieLens 1M archive, in this order (its README).
OCCUPATIONS: Final = (
    "other", "academic/educator", "artist", "clerical/admin", "college/grad student", "customer service",
    "doctor/health care", "executive/managerial", "farmer", "homemaker", "K-12 student", "lawyer",
    "programmer", "retired", "sales/marketing", "scientist", "self-employed", "technician/engineer",
    "tradesman/craftsman", "unemployed", "writer",
)  # fmt: skip

NUMBERED: Final = "SELECT row_number() OVER () AS source_row, {columns} FROM ({source})"
RATINGS: Final = "user_id, item_id, 'rate' AS event_type, rating AS value, \"timestamp\""
GENRES: Final = (
    "list_filter(string_split(genres, {separator}), lambda genre: genre <> 'unknown') AS categories"
)


def from_wheel(connection: DuckDBPyConnection, files: dict[str, Path]) -> Tables:
    """Read tab-separated tables with headers such as `user_id:token`.

    Args:
        files: ".inter", ".item" and ".user" -> path.
    """
    (interactions, _), (items, item_columns), (users, _) = (
        _typed_table(files[suffix]) for suffix in (".inter", ".item", ".user")
    )
    # One wheel has the data set in each user id, as in 1m_17, and lines that end with CR LF.
    user_id = "regexp_replace(user_id, '^[0-9]+[mk]_', '') AS user_id"
    ratings = f"SELECT * REPLACE ({user_id}) FROM ({interactions})"
    genres = "genre" if "genre" in item_columns else "class"
    title = "movie_title || coalesce(' (' || release_year || ')', '')"
    titled = f"SELECT item_id, {title} AS title, {genres} AS genres FROM ({items})"
    people = f"SELECT * REPLACE ({user_id}) FROM ({users})"
    return {
        "interactions": connection.sql(NUMBERED.format(columns=RATINGS, source=ratings)),
        "items": connection.sql(_items(titled, "' '")),
        "users": connection.sql(_users(people)),
    }


def from_archive_100k(connection: DuckDBPyConnection, archive: Path, folder: Path) -> Tables:
    """Read `ml-100k.zip`: u.data, u.item with one flag for each genre, u.user."""
    data, item, user = _unpack(archive, ["ml-100k/u.data", "ml-100k/u.item", "ml-100k/u.user"], folder)
    (genre,) = _unpack(archive, ["ml-100k/u.genre"], folder)
    names = [line.split("|")[0] for line in genre.read_text(encoding="utf-8").split("\n") if "|" in line]
    ratings = _scan(data, "\t", ["user_id", "item_id", "rating", "timestamp"])
    flags = [f"flag_{number}" for number in range(len(names))]
    movies = _scan(item, "|", ["item_id", "title", "released", "video_released", "url", *flags])
    chosen = ", ".join(
        f"CASE {flag} WHEN '1' THEN {literal(name)} END" for flag, name in zip(flags, names, strict=True)
    )
    titled = f"SELECT item_id, title, concat_ws('|', {chosen}) AS genres FROM {movies}"
    people = f"FROM {_scan(user, '|', ['user_id', 'age', 'gender', 'occupation', 'zip_code'])}"
    return {
        "interactions": connection.sql(NUMBERED.format(columns=RATINGS, source=f"FROM {ratings}")),
        "items": connection.sql(_items(titled, "'|'")),
        "users": connection.sql(_users(people)),
    }


def from_archive_1m(connection: DuckDBPyConnection, archive: Path, folder: Path) -> Tables:
    """Read `ml-1m.zip`: ratings.dat, movies.dat and users.dat, with the delimiter "::"."""
    members = ["ml-1m/ratings.dat", "ml-1m/movies.dat", "ml-1m/users.dat"]
    ratings, movies, users = _unpack(archive, members, folder)
    ratings_scan = _scan(ratings, "::", ["user_id", "item_id", "rating", "timestamp"])
    titled = f"FROM {_scan(movies, '::', ['item_id', 'title', 'genres'])}"
    people = f"FROM {_scan(users, '::', ['user_id', 'gender', 'age', 'occupation', 'zip_code'])}"
    return {
        "interactions": connection.sql(NUMBERED.format(columns=RATINGS, source=f"FROM {ratings_scan}")),
        "items": connection.sql(_items(titled, "'|'")),
        "users": connection.sql(_users(people)),
    }


ARCHIVES: Final[dict[str, Callable[[DuckDBPyConnection, Path, Path], Tables]]] = {
    "ml-100k.zip": from_archive_100k,
    "ml-1m.zip": from_archive_1m,
}


def _items(source: str, separator: str) -> str:
    return NUMBERED.format(columns=f"item_id, title, {GENRES.format(separator=separator)}", source=source)


def _users(source: str) -> str:
    names = ", ".join(literal(name) for name in OCCUPATIONS)
    occupation = f"coalesce([{names}][TRY_CAST(occupation AS INTEGER) + 1], occupation) AS occupation"
    columns = f"user_id, TRY_CAST(age AS DOUBLE) AS age, gender, {occupation}, zip_code"
    return NUMBERED.format(columns=columns, source=source)


def _typed_table(file: Path) -> tuple[str, list[str]]:
    with file.open(encoding="utf-8") as lines:
        names = [column.split(":")[0] for column in lines.readline().rstrip("\r\n").split("\t")]
    return f"FROM {_scan(file, chr(9), names, header=True)}", names


def _scan(file: Path, delimiter: str, names: list[str], header: bool = False) -> str:
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
    dialect = f"delim = {literal(delimiter)}, quote = '', escape = '', header = {str(header).lower()}"
    return f"read_csv({literal(str(file))}, {dialect}, auto_detect = false, columns = {{{columns}}})"


def _unpack(archive: Path, members: list[str], folder: Path) -> list[Path]:
    """Extract the members, and convert them from Latin-1 to UTF-8."""
    unpacked = []
    with zipfile.ZipFile(archive) as opened:
        for member in members:
            target = folder / Path(member).name
            target.write_text(opened.read(member).decode("latin-1"), encoding="utf-8")
            unpacked.append(target)
    return unpacked
