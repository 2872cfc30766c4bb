"""Opens and writes a ranking directory: the data of a release that ranks items.

ranking/<version>/    catalog.parquet  item_embeddings.npy  <matrix>/{indptr,indices,data,shape}.npy
                      popularity.npy  trend.npy  als.npy  blend.json  manifest.json  user_sequences/
                      feedback.json  words/
                      ease/            only for a small catalog
                      nearest.faiss    only for a large catalog
                      item_scales.npy  only for int8 embeddings
                      segments/        only where users have attributes
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from feature_repo.contract import INTEREST_MODEL, MANIFEST, RANKING, fingerprint
from feature_repo.feedback import FeedbackPolicy
from serving.errors import DamagedRelease, ForeignRelease, ReleaseError, ReleaseNotFound
from serving.release.ann_index import EXACT_ITEMS, NEAREST, write_inverted_file
from serving.release.arrays import FloatArray
from serving.release.catalog import Catalog
from serving.release.checksums import check_files, checksums
from serving.release.collaborative_filters import CollaborativeFilters
from serving.release.exposure_offsets import ExposureOffsets
from serving.release.item_embeddings import Precision, load_embeddings, save_embeddings
from serving.release.item_words import ItemWords


@dataclass(frozen=True)
class Ranking:
    """The data of one release that ranks items for a history and an interest."""

    version: int
    catalog: Catalog
    item_embeddings: FloatArray  # [items, interest size]; interest · embedding is the logit
    filters: CollaborativeFilters
    blend: dict[str, Any]  # features and their weights, as fitted by evaluate_release
    manifest: dict[str, Any]
    precision: Precision = "float32"  # at which the embeddings are stored
    nearest: Path | None = None  # the nearest-neighbour index of a large catalog
    words: ItemWords = field(default_factory=ItemWords)  # of the items' texts, for searches
    exposure_offsets: FloatArray | None = None  # [items] log odds that balance the providers' exposure

    @property
    def feedback(self) -> FeedbackPolicy:
        """The sign and strength of each interaction, as in training."""
        return self.filters.feedback

    @classmethod
    def load(cls, directory: Path, version: int = 0) -> "Ranking":
        """Open a ranking directory.

        Raises:
            ReleaseNotFound: there is no manifest.
            ForeignRelease: it was written under another version of the contract.
            DamagedRelease: a file differs from its checksum, or the parts don't fit together.
        """
        manifest = _read_manifest(directory)
        check_files(directory, RANKING, manifest["files"])
        embeddings, precision = load_embeddings(directory)
        items = _read_whole(directory / "catalog.parquet")
        blend = json.loads((directory / "blend.json").read_text())
        offsets = ExposureOffsets.of(blend)
        ranking = cls(
            version=version,
            catalog=Catalog.from_items(items),
            item_embeddings=embeddings,
            precision=precision,
            filters=CollaborativeFilters.load(directory),
            blend=blend,
            manifest=manifest,
            nearest=directory / NEAREST if "nearest" in manifest else None,
            words=ItemWords.load(directory / "words"),
            exposure_offsets=offsets.of_items(items) if offsets else None,
        )
        counts = _item_counts(len(ranking.catalog), embeddings, ranking.filters)
        if len(set(counts.values())) != 1:
            raise DamagedRelease(f"each part of {directory} needs one row per item, got {counts}")
        return ranking


def write_ranking(
    directory: Path,
    items: pa.Table,
    item_embeddings: FloatArray,
    filters: CollaborativeFilters,
    blend: dict[str, Any],
    interest_model: Path,
    *,
    precision: Precision = "float32",
    interests: FloatArray | None = None,
    exact_items: int = EXACT_ITEMS,
    **manifest_entries: Any,
) -> None:
    """Write the ranking directory of a release.

    Args:
        items: the catalog, one row per item, in index order.
        item_embeddings: [items, interest size] float32.
        interest_model: the SavedModel of the same release; the manifest lists its checksums.
        precision: at which the embeddings are stored and searched.
        interests: [n, interest size] float32 of users, on which the recall of the index is measured.
        exact_items: a catalog of more items gets a nearest-neighbour index.
        manifest_entries: further entries of the manifest (run id, metrics), JSON-ready.

    Raises:
        ReleaseError: catalog, embeddings and filters have different numbers of items, or the recall of the
            nearest-neighbour index is too low.
    """
    counts = _item_counts(len(items), item_embeddings, filters)
    if len(set(counts.values())) != 1:
        raise ReleaseError(f"each part of a release needs one row per item, got {counts}")
    filters.save(directory)
    pq.write_table(items, directory / "catalog.parquet")
    ItemWords.of(items).save(directory / "words")
    save_embeddings(directory, item_embeddings, precision)
    (directory / "blend.json").write_text(json.dumps(blend, indent=2))
    if index := write_inverted_file(directory, item_embeddings, interests, exact_items):
        manifest_entries["nearest"] = index
    files = {f"{RANKING}/{name}": digest for name, digest in checksums(directory).items() if name != MANIFEST}
    files |= {f"{INTEREST_MODEL}/{name}": digest for name, digest in checksums(interest_model).items()}
    manifest = {"fingerprint": fingerprint(), **manifest_entries, "files": files}
    (directory / MANIFEST).write_text(json.dumps(manifest, indent=2))


def _item_counts(items: int, embeddings: FloatArray, filters: CollaborativeFilters) -> dict[str, int]:
    """Return the name of each part -> its number of items."""
    return {"catalog": items, "item_embeddings": len(embeddings), **filters.item_counts}


def _read_manifest(directory: Path) -> dict[str, Any]:
    """Return the manifest; raises ReleaseNotFound and ForeignRelease as Ranking.load does."""
    file = directory / MANIFEST
    if not file.exists():
        raise ReleaseNotFound(
            f"no release at {directory}: expected {MANIFEST} there; see `penchant review list`"
        )
    try:
        manifest: dict[str, Any] = json.loads(file.read_bytes())
    except ValueError as error:
        raise DamagedRelease(f"{file} is no JSON ({error})") from error
    if manifest["fingerprint"] != fingerprint():
        raise ForeignRelease(
            f"release {directory} was built by contract {manifest['fingerprint']}, this process uses "
            f"{fingerprint()}: train and push with this version of Penchant (`penchant run`)"
        )
    return manifest


def _read_whole(file: Path) -> pa.Table:
    """Read a table without `pq.read_table`, whose dataset engine occupies 5 MB for the process's lifetime."""
    with pq.ParquetFile(file) as parquet:
        return parquet.read(use_threads=False)
