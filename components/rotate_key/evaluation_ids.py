"""Gives the user ids in the evaluations of versions the next pseudonym key."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.erase_user.evaluations import evaluation_folders
from components.erase_user.parquet_rows import replace_ids
from components.evaluate_release.dossier.dossier_files import DOSSIER, PAGE, USERS
from components.evaluate_release.drift.data_profile import hash_ids
from feature_repo.atomic_files import atomic_file, write_text_atomically


def rekey(artifacts: Path, pseudonyms: Mapping[str, str]) -> None:
    """Replace the ids in answers, examples and hashes; delete the pages, which `penchant review show` writes.

    Args:
        pseudonyms: old id -> new id; other ids stay as they are, other hashes are dropped.
    """
    old = list(pseudonyms)
    hashes = dict(
        zip(hash_ids(old).tolist(), hash_ids([pseudonyms[each] for each in old]).tolist(), strict=True)
    )
    for folder in evaluation_folders(artifacts):
        replace_ids(str(folder), lambda user_id: pseudonyms.get(user_id, user_id))
        _replace_hashes(folder / USERS, hashes)
        _replace_examples(folder / DOSSIER, pseudonyms)
        (folder / PAGE).unlink(missing_ok=True)


def _replace_hashes(file: Path, hashes: Mapping[int, int]) -> None:
    if not file.exists():
        return
    stored, new = pq.read_table(file)["user"].to_pylist(), set(hashes.values())
    kept = [value if value in new else hashes[value] for value in stored if value in new or value in hashes]
    with atomic_file(file) as path:
        pq.write_table(pa.table({"user": np.sort(np.array(kept, np.uint64))}), path, compression="zstd")


def _replace_examples(dossier: Path, pseudonyms: Mapping[str, str]) -> None:
    if not dossier.exists():
        return
    content: dict[str, Any] = json.loads(dossier.read_bytes())
    for users in (content.get("examples") or {}).values():
        for user in users:
            user["user_id"] = pseudonyms.get(user["user_id"], user["user_id"])
    write_text_atomically(dossier, json.dumps(content, indent=1, ensure_ascii=False))
