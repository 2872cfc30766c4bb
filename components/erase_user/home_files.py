"""Erases a user from the files that runs and commands leave in a home.

Only what is listed here is changed: outputs of steps, records and logs of runs, pages of versions. Models,
manifests, and what else lies in a home stay as they are.
"""

import json
import shutil
from pathlib import Path
from typing import Any, Final

from components.erase_user.id_pattern import bytes_pattern, text_pattern
from components.errors import StepError
from components.run_record import RECORD
from feature_repo.atomic_files import write_text_atomically
from feature_repo.process_folders import unused_entries

# What a warm start begins with: weights that learned from everybody, and the users' newest interactions.
TRAINING_START: Final = "base_model"

# What `penchant data private` reads of everybody, while it does.
PRIVATE_COPIES: Final = "private_data"

_ERASED: Final = "(erased)"


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


def delete_review_pages(home: Path) -> int:
    """Delete what `penchant review` has written into a home, and writes again; returns their number."""
    folder = home / "review"
    files = sum(file.is_file() for file in folder.rglob("*"))
    if folder.is_dir():
        shutil.rmtree(folder)
    return files


def delete_copies(home: Path) -> int:
    """Delete the copies of data that killed runs and commands left; with the lock of the home.

    The temporary files of an encrypted home's processes that still run stay: each deletes its own at its end.

    Returns their number.
    """
    places = (home / PRIVATE_COPIES, *home.glob("runs/*/tmp"), *unused_entries(home / "tmp"))
    copies = [place for place in places if place.exists()]
    for place in copies:
        shutil.rmtree(place) if place.is_dir() else place.unlink()
    return len(copies)


def erase_records(runs: Path, user_id: str) -> int:
    """Replace the id in the errors of the records of runs; returns the number of changed records.

    Raises:
        StepError: a record is damaged.
    """
    return sum(_erase_errors(file, user_id) for file in runs.glob(f"*/{RECORD}"))


def erase_logs(runs: Path, user_id: str) -> int:
    """Overwrite the id in the logs of runs with as many asterisks; returns the number of changed logs.

    A process may be writing to the log, and the record of a run has positions in it: so the file stays, and
    its length. A number that equals the id and is no time is overwritten, too.
    """
    files = [file for file in runs.glob("*/**/*.log") if not file.is_symlink()]
    return sum(_overwrite(file, user_id) for file in files)


def _erase_errors(file: Path, user_id: str) -> bool:
    try:
        record: dict[str, Any] = json.loads(file.read_bytes())
    except ValueError as error:
        raise StepError(f"{file} is no JSON ({error}): delete it, then repeat this") from error
    pattern, changed = text_pattern(user_id), False
    for entry in (record, *record.get("steps", [])):
        message = entry.get("error", "")
        erased = pattern.sub(lambda found: found[0] if found["id"] is None else _ERASED, message)
        if erased != message:
            entry["error"], changed = erased, True
    if changed:
        write_text_atomically(file, json.dumps(record, indent=2))
    return changed


def _overwrite(file: Path, user_id: str) -> bool:
    pattern, position, changed = bytes_pattern(user_id), 0, False
    with file.open("rb") as lines, file.open("r+b") as log:
        for line in lines:
            for found in pattern.finditer(line):
                if found["id"] is not None:
                    log.seek(position + found.start("id"))
                    log.write(b"*" * len(found["id"]))
                    changed = True
            position += len(line)
    return changed
