"""Gives the user ids in the evaluations of versions the next pseudonym key."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.erase_user.evaluations import evaluation_folders
from components.erase_user.parquet_rows import replace_ids, replaced_id, stored_ids
from components.evaluation_files import DOSSIER, PAGE, USERS
from components.hashed_ids import hash_ids
from feature_repo.atomic_files import atomic_file, write_text_atomically


def all_ids(artifacts: Path) -> set[str]:
    """Return the user ids of all answers and examples."""
    ids = set[str]()
    for folder in evaluation_folders(artifacts):
        ids |= stored_ids(str(folder)) | {user["user_id"] for user in _examples(_read(folder / DOSSIER))}
    return ids


def rekey(artifacts: Path, ids: Mapping[str, str]) -> None:
    """Replace the ids in answers, examples and hashes; delete the pages, which `penchant review show` writes.

    Args:
        ids: old id -> new id, and each new id -> itself; other hashes are dropped.

    Raises:
        StepError: answers or examples have an id that `ids` has not.
    """
    hashes = dict(zip(hash_ids(list(ids)).tolist(), hash_ids(list(ids.values())).tolist(), strict=True))
    for folder in evaluation_folders(artifacts):
        replace_ids(str(folder), ids)
        _replace_hashes(folder / USERS, hashes)
        _replace_examples(folder / DOSSIER, ids)
        (folder / PAGE).unlink(missing_ok=True)


def _replace_hashes(file: Path, hashes: Mapping[int, int]) -> None:
    if not file.exists():
        return
    stored = pq.read_table(file)["user"].to_pylist()
    kept = np.unique(np.array([hashes[value] for value in stored if value in hashes], np.uint64))
    with atomic_file(file) as path:
        pq.write_table(pa.table({"user": kept}), path, compression="zstd")


def _replace_examples(dossier: Path, ids: Mapping[str, str]) -> None:
    if content := _read(dossier):
        for user in _examples(content):
            user["user_id"] = replaced_id(user["user_id"], ids, str(dossier))
        write_text_atomically(dossier, json.dumps(content, indent=1, ensure_ascii=False))


def _read(dossier: Path) -> dict[str, Any]:
    """Return the content of a dossier; {} without one."""
    content: dict[str, Any] = json.loads(dossier.read_bytes()) if dossier.exists() else {}
    return content


def _examples(content: dict[str, Any]) -> list[dict[str, Any]]:
    return [user for users in (content.get("examples") or {}).values() for user in users]
