"""Encodes an item's content as one vector: categories, text, and embedding columns."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_array
from scipy.sparse.linalg import svds

from serving.release.arrays import FloatArray

CONTENT_SIZE: Final = 96  # more terms than this are projected (latent semantic analysis)
MAX_TERMS: Final = 50_000
NEW_TERMS: Final = 0.1  # share of new terms in a catalog from which on an encoder is outdated
WORD: Final = re.compile(r"\w+", re.UNICODE)
NOT_TEXT: Final = ("item_id",)


@dataclass(frozen=True)
class ContentEncoder:
    """Fitted on one catalog and reused for later ones, so that the weights of a warm start stay valid."""

    terms: list[str]  # "column:word"
    weights: FloatArray  # [terms] inverse document frequency
    projection: FloatArray  # [terms, size], or [0, 0] without projection
    columns: list[str]  # the float-list columns
    widths: list[int]  # of the float-list columns

    @classmethod
    def fit(cls, items: pa.Table) -> "ContentEncoder":
        """Choose the terms of a catalog, and a projection if there are more than CONTENT_SIZE of them."""
        unprojected = cls._unprojected(items)
        if len(unprojected.terms) <= CONTENT_SIZE:
            return unprojected
        rank = min(CONTENT_SIZE, len(items) - 1, len(unprojected.terms) - 1)
        directions = svds(unprojected.sparse(items), k=rank, rng=0, return_singular_vectors="vh")[2]
        return replace(unprojected, projection=np.ascontiguousarray(directions.T, np.float32))

    @classmethod
    def _unprojected(cls, items: pa.Table) -> "ContentEncoder":
        documents = [set(words) for words in _documents(items)]
        counts = Counter(term for words in documents for term in words)
        useful = [term for term, count in counts.items() if 1 < count < 0.9 * len(documents)]
        terms = sorted(sorted(useful, key=lambda term: (-counts[term], term))[:MAX_TERMS])
        weights = np.array([np.log(len(documents) / counts[term]) for term in terms], np.float32)
        columns = [field.name for field in items.schema if _is_vector(field.type)]
        widths = [max(map(len, filter(None, items[name].to_pylist())), default=0) for name in columns]
        return cls(terms, weights, np.zeros((0, 0), np.float32), columns, widths)

    @classmethod
    def empty(cls) -> "ContentEncoder":
        """Return an encoder without content."""
        return cls([], np.zeros(0, np.float32), np.zeros((0, 0), np.float32), [], [])

    def suits(self, items: pa.Table) -> bool:
        """Return whether a new fit on `items` would have few new terms and the same embedding columns."""
        fresh = self._unprojected(items)
        new = set(fresh.terms) - set(self.terms)
        vectors = (fresh.columns, fresh.widths) == (self.columns, self.widths)
        return vectors and len(new) <= NEW_TERMS * len(fresh.terms)

    @property
    def size(self) -> int:
        return (self.projection.shape[1] or len(self.terms)) + sum(self.widths)

    def sparse(self, items: pa.Table) -> csr_array:
        """Return [items, terms] TF-IDF, with rows of unit length."""
        index = {term: column for column, term in enumerate(self.terms)}
        rows = [sorted({index[term] for term in words if term in index}) for words in _documents(items)]
        indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
        indices = np.array([column for row in rows for column in row], np.int64)
        norms = np.array([np.sqrt((self.weights[row] ** 2).sum()) for row in rows])
        data = self.weights[indices] / np.repeat(norms, np.diff(indptr))
        return csr_array((data, indices, indptr), shape=(len(rows), len(self.terms)), dtype=np.float32)

    def transform(self, items: pa.Table) -> FloatArray:
        """Return [items, size] float32; zeros for items without content."""
        sparse = self.sparse(items)
        text = sparse @ self.projection if self.projection.size else sparse.toarray()
        vectors = [
            _vectors(items, name, width) for name, width in zip(self.columns, self.widths, strict=True)
        ]
        return np.concatenate([text, *vectors], axis=1).astype(np.float32)

    def save(self, file: Path) -> None:
        np.savez(
            file,
            terms=np.array(self.terms, np.str_),
            weights=self.weights,
            projection=self.projection,
            columns=np.array(self.columns, np.str_),
            widths=np.array(self.widths, np.int64),
        )

    @classmethod
    def load(cls, file: Path) -> "ContentEncoder":
        with np.load(file, allow_pickle=False) as saved:
            return cls(
                saved["terms"].tolist(),
                saved["weights"],
                saved["projection"],
                saved["columns"].tolist(),
                saved["widths"].tolist(),
            )


def _documents(items: pa.Table) -> Iterable[list[str]]:
    """Return the terms of each item: whole categories, and the words of each text column."""
    documents: list[list[str]] = [[] for _ in range(len(items))]
    for field in items.schema:
        if field.name in NOT_TEXT:
            continue
        if pa.types.is_list(field.type) and pa.types.is_string(field.type.value_type):
            for words, values in zip(documents, items[field.name].to_pylist(), strict=True):
                words.extend(f"{field.name}:{value}" for value in values or [])
        elif pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            for words, text in zip(documents, items[field.name].to_pylist(), strict=True):
                words.extend(f"{field.name}:{word}" for word in WORD.findall((text or "").lower()))
    return documents


def _is_vector(kind: pa.DataType) -> bool:
    lists: bool = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return lists and bool(pa.types.is_floating(kind.value_type))


def _vectors(items: pa.Table, name: str, width: int) -> FloatArray:
    """Return an embedding column with rows of unit length; zeros for missing values or another width."""
    vectors = np.zeros((len(items), width), np.float32)
    if name in items.column_names:
        for row, vector in enumerate(items[name].to_pylist()):
            if vector is not None and len(vector) == width:
                vectors[row] = vector
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: FloatArray = (vectors / np.maximum(norms, 1e-9)).astype(np.float32)
    return unit
