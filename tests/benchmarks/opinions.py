"""A planted data set: people who rate films 5 or 1 by their genre alone."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

SEED: Final = 20261124
PEOPLE: Final = 133
GENRES: Final = ("Comedy", "Drama", "Horror", "Western")
FILMS_PER_GENRE: Final = 40
RATED: Final = 16  # films of each person's loved genre, and of the hated one

# Everybody rates this comedy 1.
FLOP: Final = "flop"

# Item id -> genre.
FILMS: Final = {f"{genre}-{number}": genre for genre in GENRES for number in range(FILMS_PER_GENRE)} | {
    FLOP: GENRES[0]
}


@dataclass(frozen=True)
class Person:
    """A person's opinion about genres, and ratings in order of time."""

    user_id: str
    loved: str
    hated: str
    film_ids: list[str]
    ratings: list[float]
    seconds: list[int]  # since the epoch


def make_people(seed: int = SEED) -> list[Person]:
    """Return people who each love one genre and hate another one.

    Each rates RATED films of the loved genre 5 and as many of the hated one 1, in a random order, and FLOP 1.
    """
    random = np.random.default_rng(seed)
    people = []
    for number in range(PEOPLE):
        loved, hated = (GENRES[genre] for genre in random.permutation(len(GENRES))[:2])
        rated = [(film, 5.0) for film in _films(loved, random)]
        rated += [(film, 1.0) for film in [*_films(hated, random), FLOP]]
        order = random.permutation(len(rated))
        start = 1_704_067_200 + int(random.integers(200 * 86_400))
        people.append(
            Person(
                user_id=f"p{number}",
                loved=loved,
                hated=hated,
                film_ids=[rated[index][0] for index in order],
                ratings=[rated[index][1] for index in order],
                seconds=[start + 3600 * position for position in range(len(rated))],
            )
        )
    return people


def write_files(people: list[Person], folder: Path) -> tuple[Path, Path]:
    """Write files of interactions and items, and return their paths."""
    interactions, items = folder / "interactions.csv", folder / "items.csv"
    with interactions.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("user_id", "item_id", "event_type", "value", "timestamp"))
        for person in people:
            rows = zip(person.film_ids, person.ratings, person.seconds, strict=True)
            writer.writerows((person.user_id, film, "rate", rating, at) for film, rating, at in rows)
    with items.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("item_id", "title", "categories"))
        writer.writerows((film, film.replace("-", " "), genre) for film, genre in FILMS.items())
    return interactions, items


def _films(genre: str, random: np.random.Generator) -> list[str]:
    return [f"{genre}-{number}" for number in random.permutation(FILMS_PER_GENRE)[:RATED]]
