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

Row = tuple[str | int, ...]

# Everybody rates this film 1.
FLOP: Final = "flop"


@dataclass(frozen=True)
class Person:
    """A person's opinion about genres."""

    user_id: str
    loved: str
    hated: str


@dataclass(frozen=True)
class Opinions:
    """The people, and the files of their ratings and of the films."""

    people: list[Person]
    interactions: Path
    items: Path


def write_opinions(folder: Path, seed: int = SEED) -> Opinions:
    """Write a data set in which only the genre decides whether a person rates a film 5 or 1.

    Each person loves one genre and hates another one, rates RATED films of each in a random order, and rates
    FLOP with 1.
    """
    random = np.random.default_rng(seed)
    people: list[Person] = []
    rows: list[Row] = []
    for number in range(PEOPLE):
        loved, hated = random.permutation(len(GENRES))[:2]
        person = Person(f"p{number}", GENRES[loved], GENRES[hated])
        rated = [(film, 5) for film in _films(person.loved, random)]
        rated += [(film, 1) for film in [*_films(person.hated, random), FLOP]]
        start = 1_704_067_200 + int(random.integers(200 * 86_400))
        for position, index in enumerate(random.permutation(len(rated))):
            film, value = rated[index]
            rows.append((person.user_id, film, "rate", value, start + 3600 * position))
        people.append(person)
    films: list[Row] = [
        (f"{genre}-{number}", f"{genre} {number}", genre)
        for genre in GENRES
        for number in range(FILMS_PER_GENRE)
    ]
    opinions = Opinions(people, folder / "interactions.csv", folder / "items.csv")
    _write(opinions.interactions, ("user_id", "item_id", "event_type", "value", "timestamp"), rows)
    _write(opinions.items, ("item_id", "title", "categories"), [*films, (FLOP, "Flop", GENRES[0])])
    return opinions


def _films(genre: str, random: np.random.Generator) -> list[str]:
    return [f"{genre}-{number}" for number in random.permutation(FILMS_PER_GENRE)[:RATED]]


def _write(file: Path, header: tuple[str, ...], rows: list[Row]) -> None:
    with file.open("w", newline="") as opened:
        csv.writer(opened).writerows([header, *rows])
