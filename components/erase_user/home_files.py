"""Erases a user from the files that runs leave in a home: outputs of steps, logs, MLflow's artifacts."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from components.erase_user.parquet_rows import delete_rows
from feature_repo.atomic_files import write_text_atomically

# What a warm start begins with: weights that learned from everybody, and the users' newest interactions.
TRAINING_START: Final = "base_model"

_TEXT: Final = (".json", ".html", ".log", ".txt", ".csv", ".yaml")
_REPLACEMENT: Final = "(erased)"
# A shorter id may be a number of something else, so it is replaced only where it is a whole value.
_DISTINCTIVE: Final = 8


def delete_outputs(runs: Path) -> int:
    """Delete the outputs of all steps of all runs, and the links to them; returns the number of runs.

    They hold the users' histories, and models that learned from them. The records and logs of runs stay.
    """
    folders = [folder for folder in runs.glob("*/steps") if folder.is_dir()]
    for folder in folders:
        shutil.rmtree(folder)
        for link in folder.parent.iterdir():
            if link.is_symlink() and not link.exists():
                link.unlink()
    return len(folders)


def delete_training_starts(artifacts: Path) -> int:
    """Delete what later trainings would start from; returns the number of runs whose start is deleted."""
    folders = [folder for folder in artifacts.rglob(TRAINING_START) if folder.is_dir()]
    for folder in folders:
        shutil.rmtree(folder)
    return len(folders)


def erase_tables(artifacts: Path, user_id: str) -> int:
    """Delete the user's rows from all Parquet files; returns their number."""
    return delete_rows(str(artifacts), user_id)


def erase_texts(folder: Path, user_id: str) -> int:
    """Replace the id in text files; returns the number of files."""
    return sum(_erase_text(file, user_id) for file in _texts(folder))


def _texts(folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder):
        yield from (
            Path(root, name) for name in names if name.endswith(_TEXT) and not Path(root, name).is_symlink()
        )


def _erase_text(file: Path, user_id: str) -> bool:
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return False
    forms = [json.dumps(user_id), repr(user_id), f">{user_id}<"]
    replaced = text
    for form in forms:
        replaced = replaced.replace(form, f"{form[0]}{_REPLACEMENT}{form[-1]}")
    if len(user_id) >= _DISTINCTIVE:
        replaced = replaced.replace(user_id, _REPLACEMENT)
    if replaced != text:
        write_text_atomically(file, replaced)
    return replaced != text
