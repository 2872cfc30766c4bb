"""What the chief of several workers shares with the others: its settings, and all windows, encoded.

Each worker maps the files into its memory, and reads of each batch the rows of its replicas alone.
"""

import json
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from fsspec.implementations.local import LocalFileSystem

from components.train_interest_model.data.sequences import INPUTS, TARGETS, Sequences
from components.train_interest_model.hyperparameters import Hyperparameters
from feature_repo.atomic_files import atomic_upload
from feature_repo.filesystems import locate
from serving.release.arrays import map_arrays, save_arrays

_ARRAYS: Final = ("offsets", *INPUTS, *TARGETS, "attributes", "in_every_epoch")
# Written last: a worker that sees it can read the others.
_ABOUT: Final = "training.json"
_LOOK_S: Final = 0.2


@dataclass(frozen=True)
class ModelShape:
    """What the shapes of the weights follow from; the chief sends the weights themselves."""

    settings: dict[str, Any]
    items: int
    content_size: int
    table_sizes: dict[str, int]

    @property
    def hyperparameters(self) -> Hyperparameters:
        return Hyperparameters.from_dict(self.settings)


def share(folder: str, addresses: list[str], shape: ModelShape, sequences: Sequences) -> None:
    """Write to `folder`, a path or an fsspec URL; `addresses` are the workers', see `make_strategy`."""
    filesystem, path = locate(folder)
    filesystem.makedirs(path, exist_ok=True)
    arrays = {name: getattr(sequences, name) for name in _ARRAYS}
    if isinstance(filesystem, LocalFileSystem):
        save_arrays(Path(path), arrays)
    else:
        with tempfile.TemporaryDirectory(prefix="penchant-") as local:
            for name, array in arrays.items():  # one after another: each is as large as all items
                save_arrays(Path(local), {name: array})
                filesystem.put_file(f"{local}/{name}.npy", f"{path}/{name}.npy")
                Path(local, f"{name}.npy").unlink()
    with atomic_upload(filesystem, f"{path}/{_ABOUT}") as file:
        file.write(json.dumps({"addresses": addresses, "shape": asdict(shape)}).encode())


def receive(folder: str, scratch: Path) -> tuple[list[str], ModelShape, Sequences]:
    """Wait until the chief has shared everything, and return it; the arrays are mapped from files.

    Args:
        scratch: an empty folder for the files, if `folder` is not on this machine.
    """
    filesystem, path = locate(folder)
    while not filesystem.exists(f"{path}/{_ABOUT}"):
        time.sleep(_LOOK_S)
        filesystem.invalidate_cache()
    about = json.loads(filesystem.cat_file(f"{path}/{_ABOUT}"))
    local = Path(path)
    if not isinstance(filesystem, LocalFileSystem):
        local = scratch
        for name in _ARRAYS:
            filesystem.get_file(f"{path}/{name}.npy", str(local / f"{name}.npy"))
    arrays = map_arrays(local, _ARRAYS)
    rows = len(arrays["offsets"]) - 1
    # No batch has what follows.
    queries = {"targets": np.full(rows, -1, np.int32), "users": np.full(rows, "", object)}
    sequences = Sequences(**arrays, **queries, cutoffs=np.zeros(rows, np.int64))
    return about["addresses"], ModelShape(**about["shape"]), sequences
