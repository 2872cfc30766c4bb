"""A release on disk: what stands in `ranking/<version>/`, how it is opened, and which version is live.

interest/<version>/   a SavedModel in TensorFlow Serving's layout
ranking/<version>/    catalog.parquet  item_embeddings.npy  <matrix>/{indptr,indices,data,shape}.npy
                      popularity.npy  trend.npy  als.npy  blend.json  manifest.json
                      sequences/  (ease/ where the catalog is small, nearest.faiss where it is large,
                      item_scales.npy where embeddings are int8, segments/ where users have attributes)
live.json             {"version": 7, "previous": 6}, replaced atomically
"""

import hashlib
import json
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem
from numpy.typing import NDArray
from scipy.sparse import csr_array

from feature_repo.contract import INTEREST_MODEL, LIVE, MANIFEST, RANKING, fingerprint
from serving.errors import ForeignRelease, ReleaseError, ReleaseNotFound
from serving.inverted_file import EXACT_ITEMS, NEAREST, write_inverted_file
from serving.item_embeddings import Precision, load_embeddings, save_embeddings
from serving.segments import Segments
from serving.sequences import Sequences
from serving.sparse import load_csr, save_csr

FloatArray = NDArray[np.float32]

# Sparse matrices of the collaborative filters, each [items, items] but for user_items [users, items].
MATRICES = ("transitions", "item_cosine", "user_items")

FOREVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Catalog:
    """Every item of a release; position in these lists is the item's index everywhere."""

    item_ids: list[str]
    titles: list[str]
    categories: list[list[str]]
    domains: list[str]
    available_from: NDArray[np.int64]  # [items] µs since the epoch
    available_until: NDArray[np.int64]  # [items] µs since the epoch, FOREVER when open

    @cached_property
    def index(self) -> dict[str, int]:
        """Item id -> index."""
        return {item_id: position for position, item_id in enumerate(self.item_ids)}

    @cached_property
    def category_index(self) -> dict[str, int]:
        """Category -> its column of `content`."""
        distinct = dict.fromkeys(category for categories in self.categories for category in categories)
        return {category: column for column, category in enumerate(distinct)}

    @cached_property
    def content(self) -> csr_array:
        """[items, distinct categories] float32, rows of unit length; a row of zeros where there is none."""
        index = self.category_index
        columns = [[index[category] for category in dict.fromkeys(row)] for row in self.categories]
        lengths = np.fromiter(map(len, columns), np.int64, len(columns))
        indices = np.fromiter((column for row in columns for column in row), np.int32, lengths.sum())
        values = np.repeat(1 / np.sqrt(np.maximum(lengths, 1)), lengths).astype(np.float32)
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        return csr_array((values, indices, indptr), shape=(len(self), max(1, len(index))))

    def __len__(self) -> int:
        return len(self.item_ids)

    @classmethod
    def from_items(cls, items: pa.Table) -> "Catalog":
        """From a table with the contract's item columns, in its row order."""
        column = items.column
        return cls(
            item_ids=column("item_id").to_pylist(),
            titles=[title or "" for title in column("title").to_pylist()],
            categories=[categories or [] for categories in column("categories").to_pylist()],
            domains=[domain or "" for domain in column("domain").to_pylist()],
            available_from=_microseconds(column("available_from"), 0),
            available_until=_microseconds(column("available_until"), FOREVER),
        )


@dataclass(frozen=True)
class Filters:
    """The collaborative filters, fitted; rows and columns are item indexes of the catalog."""

    transitions: csr_array  # [items, items] P(column comes soon after row)
    item_cosine: csr_array  # [items, items] the nearest items only
    user_items: csr_array  # [users, items] rows of unit length
    popularity: FloatArray  # [items] interactions
    trend: FloatArray  # [items] interactions, each halved per half-life of age
    ease: csr_array | None = None  # [items, items] the strongest weights; None for a large catalog
    als: FloatArray | None = None  # [items, factors] as factors.fold_in wants them; None before there was ALS
    sequences: Sequences | None = None  # None before there were any
    segments: Segments | None = None  # None where users have no attributes

    @cached_property
    def item_users(self) -> csr_array:
        """[items, users], user_items turned round: who chose an item."""
        return self.user_items.T.tocsr()

    @classmethod
    def load(cls, directory: Path) -> "Filters":
        matrices, als = {name: load_csr(directory / name) for name in MATRICES}, directory / "als.npy"
        optional = {"ease": load_csr, "sequences": Sequences.load, "segments": Segments.load}
        found = {name: load for name, load in optional.items() if (directory / name).is_dir()}
        return cls(
            **matrices,
            **{name: load(directory / name) for name, load in found.items()},
            als=np.load(als, allow_pickle=False) if als.exists() else None,
            popularity=np.load(directory / "popularity.npy", allow_pickle=False),
            trend=np.load(directory / "trend.npy", allow_pickle=False),
        )

    def save(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        for name in MATRICES:
            save_csr(getattr(self, name), directory / name)
        for name in ("ease", "sequences", "segments"):  # a fit before this one may have left them
            shutil.rmtree(directory / name, ignore_errors=True)
        (directory / "als.npy").unlink(missing_ok=True)
        if self.ease is not None:
            save_csr(self.ease, directory / "ease")
        if self.als is not None:
            np.save(directory / "als.npy", self.als)
        if self.sequences is not None:
            self.sequences.save(directory / "sequences")
        if self.segments is not None:
            self.segments.save(directory / "segments")
        np.save(directory / "popularity.npy", self.popularity)
        np.save(directory / "trend.npy", self.trend)


@dataclass(frozen=True)
class Ranking:
    """What turns an interest vector and a history into an answer, opened in memory."""

    version: int
    catalog: Catalog
    item_embeddings: FloatArray  # [items, interest size]; interest · embedding is the logit
    filters: Filters
    blend: dict[str, Any]  # terms and their weights, as fitted by evaluate_release
    manifest: dict[str, Any]
    precision: Precision = "float32"  # that the embeddings were rounded to
    nearest: Path | None = None  # the inverted file over the embeddings of a large catalog

    @classmethod
    def load(cls, directory: Path, version: int = 0) -> "Ranking":
        """Open a ranking directory.

        Raises:
            ReleaseNotFound: nothing stands there.
            ForeignRelease: it was built by another contract.
        """
        manifest_file = directory / MANIFEST
        if not manifest_file.exists():
            raise ReleaseNotFound(
                f"no release at {directory}: expected {MANIFEST} there; see `penchant review list`"
            )
        manifest = json.loads(manifest_file.read_text())
        if manifest["fingerprint"] != fingerprint():
            raise ForeignRelease(
                f"release {directory} was built by contract {manifest['fingerprint']}, this process speaks "
                f"{fingerprint()}: train and push with this version of Penchant (`penchant run`)"
            )
        embeddings, precision = load_embeddings(directory)
        return cls(
            version=version,
            catalog=Catalog.from_items(_read_whole(directory / "catalog.parquet")),
            item_embeddings=embeddings,
            precision=precision,
            filters=Filters.load(directory),
            blend=json.loads((directory / "blend.json").read_text()),
            manifest=manifest,
            nearest=directory / NEAREST if "nearest" in manifest else None,
        )


class ReleaseStore:
    """Where releases are published: any fsspec URL; a remote one is copied to `cache` as it is opened."""

    def __init__(self, url: str, cache: Path | None = None) -> None:
        self.filesystem, self.root = fsspec.url_to_fs(url)
        self._cache = cache

    def path(self, kind: str, version: int) -> str:
        return f"{self.root}/{kind}/{version}"

    def live(self) -> int | None:
        """The live version, None before the first push."""
        return self.live_record().get("version")

    def live_record(self) -> dict[str, Any]:
        try:
            with self.filesystem.open(f"{self.root}/{LIVE}", "rb") as file:
                record: dict[str, Any] = json.load(file)
        except FileNotFoundError:
            return {}
        return record

    def versions(self) -> list[int]:
        """Published versions, oldest first."""
        try:
            entries = self.filesystem.ls(f"{self.root}/{RANKING}", detail=False)
        except FileNotFoundError:
            return []
        names = (entry.rstrip("/").rsplit("/", 1)[-1] for entry in entries)
        return sorted(int(name) for name in names if name.isdigit())

    def open(self, version: int) -> Ranking:
        """The ranking of a version; raises as Ranking.load does."""
        return Ranking.load(self.local(RANKING, version), version)

    def local(self, kind: str, version: int) -> Path:
        """A local directory that holds `kind` of `version`.

        Raises:
            ReleaseError: the store is remote and no cache directory was given.
        """
        if isinstance(self.filesystem, LocalFileSystem):
            return Path(self.path(kind, version))
        if self._cache is None:
            raise ReleaseError(f"release store {self.root} is remote: a cache directory is needed to open it")
        target = self._cache / kind / str(version)
        if not (target / ".complete").exists():
            self.filesystem.get(self.path(kind, version) + "/", str(target) + "/", recursive=True)
            (target / ".complete").touch()
        return target


def write_ranking(
    directory: Path,
    items: pa.Table,
    item_embeddings: FloatArray,
    filters: Filters,
    blend: dict[str, Any],
    interest_model: Path,
    *,
    precision: Precision = "float32",
    interests: FloatArray | None = None,
    exact_items: int = EXACT_ITEMS,
    **about: Any,
) -> None:
    """Write a ranking directory beside the SavedModel `interest_model` that it belongs to.

    Args:
        items: the catalog, one row an item, in index order.
        item_embeddings: [items, interest size] float32.
        precision: that the embeddings are stored and searched at.
        interests: [n, interest size] float32 of users, that the index of a large catalog is measured on.
        exact_items: a catalog of more gets an inverted file, which answers without a look at every item.
        about: further entries of the manifest (run id, metrics), JSON-ready.

    Raises:
        ReleaseError: catalog, embeddings and filters disagree about the number of items, or the
            inverted file finds too few of the nearest items.
    """
    counts = {
        "items": len(items),
        "item_embeddings": len(item_embeddings),
        **{name: getattr(filters, name).shape[1] for name in MATRICES},
        **({"als": len(filters.als)} if filters.als is not None else {}),
        **({"sequences": filters.sequences.places.shape[0]} if filters.sequences is not None else {}),
    }
    if len(set(counts.values())) != 1:
        raise ReleaseError(f"a release needs one row an item in each part, got {counts}")
    filters.save(directory)
    pq.write_table(items, directory / "catalog.parquet")
    save_embeddings(directory, item_embeddings, precision)
    (directory / "blend.json").write_text(json.dumps(blend, indent=2))
    if index := write_inverted_file(directory, item_embeddings, interests, exact_items):
        about["nearest"] = index
    files = {f"{RANKING}/{name}": digest for name, digest in checksums(directory).items() if name != MANIFEST}
    files |= {f"{INTEREST_MODEL}/{name}": digest for name, digest in checksums(interest_model).items()}
    manifest = {"fingerprint": fingerprint(), **about, "files": files}
    (directory / MANIFEST).write_text(json.dumps(manifest, indent=2))


def checksums(directory: Path) -> dict[str, str]:
    """Relative file name -> sha256, for every file below `directory`."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): _sha256(path) for path in files}


def _read_whole(file: Path) -> pa.Table:
    """As pq.read_table does, without the engine behind it, which takes 5 MB for good."""
    with pq.ParquetFile(file) as opened:
        return opened.read()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _microseconds(column: pa.ChunkedArray, missing: int) -> NDArray[np.int64]:
    filled: NDArray[np.int64] = column.cast(pa.int64()).fill_null(missing).to_numpy()
    return filled
