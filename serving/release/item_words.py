"""The words of the catalog's texts: which items have a word, for searches."""

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from serving.release.arrays import FloatArray, Indexes, map_arrays, save_arrays

# Columns whose text says nothing about what an item is.
_NOT_CONTENT: Final = ("item_id", "domain")

# Title and categories come first, so that a long description can't displace their words.
_FIRST: Final = ("title", "categories")
MAX_WORDS_PER_ITEM: Final = 100

# Chinese, Japanese and Korean write no blanks between words: each pair of neighbouring characters counts as a
# word, as in Lucene's CJKAnalyzer.
_CJK: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_WORD: Final = re.compile(rf"[{_CJK}]+|[^\W{_CJK}]+")
_IS_CJK: Final = re.compile(f"[{_CJK}]{{2,}}")


def words_of(text: str) -> list[str]:
    """Return the distinct words of a text in its order, without case and compatibility forms."""
    found: list[str] = []
    for run in _WORD.findall(unicodedata.normalize("NFKC", text).casefold()):
        found.extend(run[i : i + 2] for i in range(len(run) - 1)) if _IS_CJK.match(run) else found.append(run)
    return list(dict.fromkeys(found))


@dataclass(frozen=True, eq=False)
class ItemWords:
    """An inverted index; a word is stored as 64 bits of a hash, of which a billion words share hardly any."""

    item_count: int = 0
    hashes: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))  # [words] ascending
    offsets: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))  # [words + 1]
    items: Indexes = field(default_factory=lambda: np.zeros(0, np.int32))  # [entries] those of each word

    @classmethod
    def of(cls, items: pa.Table) -> "ItemWords":
        """Build from the titles, categories and further texts of a catalog, one row per item."""
        texts = _texts(items)
        rows = [words_of(" ".join(row))[:MAX_WORDS_PER_ITEM] for row in zip(*texts, strict=True)]
        codes: dict[str, int] = {}
        flat = np.fromiter((codes.setdefault(word, len(codes)) for row in rows for word in row), np.int64)
        owners = np.repeat(np.arange(len(rows), dtype=np.int32), [len(row) for row in rows])
        all_hashes = _hashes(list(codes))
        hashes, number = np.unique(all_hashes, return_inverse=True)
        words = number[flat] if len(flat) else flat
        order = np.lexsort((owners, words))
        offsets = np.concatenate([[0], np.cumsum(np.bincount(words, minlength=len(hashes)))])
        return cls(len(rows), hashes, offsets.astype(np.int64), owners[order])

    def items_of(self, words: Sequence[str]) -> list[Indexes]:
        """Return for each word the indexes of the items that have it, ascending."""
        hashes = _hashes(words)
        positions = np.minimum(np.searchsorted(self.hashes, hashes), max(0, len(self.hashes) - 1))
        return [
            self.items[self.offsets[position] : self.offsets[position + 1]]
            if len(self.hashes) and self.hashes[position] == hash_
            else self.items[:0]
            for position, hash_ in zip(positions.tolist(), hashes, strict=True)
        ]

    def information(self, counts: Sequence[int]) -> FloatArray:
        """Return the inverse document frequency [words] of words that `counts` items have: log(1 + N / n).

        A word that no item has counts like one of a single item.
        """
        numbers = np.maximum(np.asarray(counts, np.float32), 1)
        result: FloatArray = np.log1p(np.float32(self.item_count) / numbers)
        return result

    def save(self, directory: Path) -> None:
        arrays: dict[str, NDArray[Any]] = {"hashes": self.hashes, "offsets": self.offsets}
        arrays |= {"items": self.items, "item_count": np.array([self.item_count])}
        save_arrays(directory, arrays)

    @classmethod
    def load(cls, directory: Path) -> "ItemWords":
        """Open an index that `save` wrote; memory-mapped."""
        arrays = map_arrays(directory, ("item_count", "hashes", "offsets", "items"))
        return cls(int(arrays.pop("item_count")[0]), **arrays)


def _texts(items: pa.Table) -> list[list[str]]:
    """Return [columns][items] the texts of each column."""
    names = sorted(items.column_names, key=lambda name: (name not in _FIRST, name != "title"))
    texts = [_as_text(items.column(name)) for name in names if name not in _NOT_CONTENT]
    return [column for column in texts if column is not None] or [[""] * len(items)]


def _as_text(column: pa.ChunkedArray) -> list[str] | None:
    """Return the texts of a column of text, or of lists of text; None for another column."""
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return [text or "" for text in column.to_pylist()]
    if pa.types.is_list(kind) and pa.types.is_string(kind.value_type):
        return [" ".join(filter(None, texts or ())) for texts in column.to_pylist()]
    return None


def _hashes(words: Sequence[str]) -> NDArray[np.uint64]:
    digests = b"".join(hashlib.blake2b(word.encode(), digest_size=8).digest() for word in words)
    hashes: NDArray[Any] = np.frombuffer(digests, np.uint64)
    return hashes
