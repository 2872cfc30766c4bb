"""Erases a user from the evaluations of versions in the artifacts of MLflow."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.erase_user.parquet_rows import delete_rows
from components.evaluation_files import DOSSIER, FOLDER, PAGE, USERS
from components.hashed_ids import hash_ids
from feature_repo.atomic_files import atomic_file, write_text_atomically


def evaluation_folders(artifacts: Path) -> list[Path]:
    """Return the folders of all evaluations in the artifacts of MLflow."""
    return sorted(folder for folder in artifacts.rglob(FOLDER) if folder.is_dir())


def erase_rows(artifacts: Path, user_id: str) -> int:
    """Delete the user's answers and the hash of the id from all evaluations; returns the number of rows."""
    return sum(
        delete_rows(str(folder), user_id) + _delete_hash(folder / USERS, user_id)
        for folder in evaluation_folders(artifacts)
    )


def erase_examples(artifacts: Path, user_id: str) -> int:
    """Take the user out of the examples of all dossiers; returns the number of changed ones.

    The page of a changed dossier is deleted, and so is one without a dossier: `penchant review show` writes
    it again, without the user.
    """
    return sum(_erase_example(folder, user_id) for folder in evaluation_folders(artifacts))


def _delete_hash(file: Path, user_id: str) -> int:
    if not file.exists() or (table := pq.read_table(file)).column_names != ["user"]:
        return 0
    is_other = pc.not_equal(table["user"], pa.scalar(int(hash_ids([user_id])[0]), pa.uint64()))
    kept = table.filter(is_other)
    if len(kept) < len(table):
        with atomic_file(file) as path:
            pq.write_table(kept, path, compression="zstd")
    return len(table) - len(kept)


def _erase_example(folder: Path, user_id: str) -> bool:
    dossier, page = folder / DOSSIER, folder / PAGE
    changed = False
    if dossier.exists():
        content: dict[str, Any] = json.loads(dossier.read_bytes())
        examples: dict[str, list[dict[str, Any]]] = content.get("examples") or {}
        kept = {
            name: [each for each in users if each.get("user_id") != user_id]
            for name, users in examples.items()
        }
        changed = kept != examples
        if changed:
            write_text_atomically(
                dossier, json.dumps(content | {"examples": kept}, indent=1, ensure_ascii=False)
            )
    if changed or not dossier.exists():
        changed |= page.exists()
        page.unlink(missing_ok=True)
    return changed
