"""A ranking directory: its format, how it is opened and how it is written.

ranking/<version>/    catalog.parquet  item_embeddings.npy  <matrix>/{indptr,indices,data,shape}.npy
                      popularity.npy  trend.npy  als.npy  blend.json  manifest.json  user_sequences/
                      ease/            only for a small catalog
                      nearest.faiss    only for a large catalog
                      item_scales.npy  only for int8 embeddings
                      segments/        only where users have attributes
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from feature_repo.contract import INTEREST_MODEL, MANIFEST, RANKING, fingerprint
from serving.errors import ForeignRelease, ReleaseError, ReleaseNotFound
from serving.release.ann_index import EXACT_ITEMS, NEAREST, write_inverted_file
from serving.release.arrays import FloatArray
from serving.release.catalog import Catalog
from serving.release.collaborative_filters import CollaborativeFilters
from serving.release.item_embeddings import Precision, load_embeddings, save_embeddings


@dataclass(frozen=True)
class Ranking:
    """What turns an interest vector and a history into an answer, opened in memory."""

    version: int
    catalog: Catalog
    item_embeddings: FloatArray  # [items, interest size]; interest · embedding is the logit
    filters: CollaborativeFilters
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
            filters=CollaborativeFilters.load(directory),
            blend=json.loads((directory / "blend.json").read_text()),
            manifest=manifest,
            nearest=directory / NEAREST if "nearest" in manifest else None,
        )


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
        **filters.item_counts,
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
        return opened.read(use_threads=False)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
