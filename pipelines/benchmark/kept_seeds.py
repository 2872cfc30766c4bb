"""The finished seeds of a benchmark, kept in the home until its results are written.

A benchmark that failed or was killed goes on with the missing seeds when its command is repeated.
"""

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from components.code_version import code_digest
from feature_repo.atomic_files import write_text_atomically
from pipelines.benchmark.plan import Plan
from pipelines.benchmark.results import StepCost

FOLDER: Final = "benchmark"  # of the home


@dataclass(frozen=True)
class FinishedSeed:
    """The results of a seed: figures alone, no row of a user."""

    evaluation: dict[str, Any]  # metrics.json
    costs: list[StepCost]  # of its training, its refit and their evaluations
    data: dict[str, int]  # the numbers of rows of the k-core
    preparation: list[StepCost]  # of the steps that run once for all seeds

    @classmethod
    def read(cls, file: Path) -> Self:
        values = json.loads(file.read_text())
        costs, preparation = ([StepCost(**cost) for cost in values[key]] for key in ("costs", "preparation"))
        return cls(values["evaluation"], costs, values["data"], preparation)


@dataclass(frozen=True)
class KeptSeeds:
    """A folder with a file per seed and tie order."""

    folder: Path

    @classmethod
    def of(cls, plan: Plan, home: Path) -> Self:
        """Return the folder of a plan: another one for other options, other data or other code."""
        files = [_digest(Path(name)) for name in (plan.interactions_file, plan.items_file) if name]
        key = json.dumps([asdict(plan), files, code_digest()])
        return cls(home / FOLDER / hashlib.sha256(key.encode()).hexdigest()[:16])

    def read(self, tie_order: int, seeds: list[int]) -> dict[int, FinishedSeed]:
        """Return those of the seeds that are finished."""
        files = {seed: self._file(tie_order, seed) for seed in seeds}
        return {seed: FinishedSeed.read(file) for seed, file in files.items() if file.exists()}

    def write(self, tie_order: int, seed: int, finished: FinishedSeed) -> None:
        """Keep a finished seed."""
        write_text_atomically(self._file(tie_order, seed), json.dumps(asdict(finished)))

    def delete(self) -> None:
        """Delete all seeds, so that the same command measures anew."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _file(self, tie_order: int, seed: int) -> Path:
        return self.folder / f"order-{tie_order}-seed-{seed}.json"


def _digest(source: Path) -> str:
    """Return a digest of a file, or of the files in a folder, and of the TOML that says how to read them.

    With their names, since the names of folders can be columns.
    """
    digest, described = hashlib.sha256(), Path(f"{source}.toml")
    for path in [*(sorted(source.rglob("*")) if source.is_dir() else [source]), described]:
        if path.is_file():
            digest.update(os.fsencode(path.relative_to(source.parent)) + b"\0")
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
