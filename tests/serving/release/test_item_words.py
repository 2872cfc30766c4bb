"""The index of the catalog's words."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from feature_repo.table_schemas import ITEMS
from serving.release.item_words import ItemWords, words_of


def catalog(*rows: dict[str, object]) -> pa.Table:
    schema = ITEMS.append(pa.field("plot", pa.string())).append(pa.field("cover", pa.list_(pa.float32())))
    return pa.Table.from_pylist([{"item_id": f"i{n}", **row} for n, row in enumerate(rows)], schema=schema)


ITEMS_WITH_TEXT = catalog(
    {"title": "Space Opera", "categories": ["Science Fiction"], "domain": "books"},
    {"title": None, "categories": None, "plot": "An OPÉRA singer falls into space.", "cover": [0.5]},
    {"title": "Horror", "categories": ["space", None]},
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Space-Opera, space!", ["space", "opera"]),
        ("Straße ﬁn", ["strasse", "fin"]),
        ("cafe\u0301", ["café"]),
        ("科幻小说2", ["科幻", "幻小", "小说", "2"]),
        ("书", ["书"]),
        (" … ", []),
    ],
)
def test_words_have_no_case_and_no_punctuation(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_titles_categories_and_further_texts_are_found_after_a_round_trip(tmp_path: Path) -> None:
    ItemWords.of(ITEMS_WITH_TEXT).save(tmp_path)
    words = ItemWords.load(tmp_path)
    queries = ["space", "opera", "opéra", "fiction", "books", "i1", "zzz"]
    found = dict(zip(queries, (row.tolist() for row in words.items_of(queries)), strict=True))
    assert found == {
        "space": [0, 1, 2],
        "opera": [0],
        "opéra": [1],
        "fiction": [0],
        "books": [],
        "i1": [],
        "zzz": [],
    }
    assert words.information([3, 1, 0]) == pytest.approx(np.log([2, 4, 4]))


def test_an_empty_catalog_and_one_without_texts_have_no_words() -> None:
    for words in (ItemWords(), ItemWords.of(catalog()), ItemWords.of(catalog({}))):
        assert [len(row) for row in words.items_of(["space"])] == [0]
